// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/robustness_attack.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "model/network/pixel_scaling.h"
#include "trainer/data/shuffle.h"
#include "trainer/evaluation/frozen_gradient.h"

namespace lipserve::trainer {
namespace {

constexpr int kDeepFoolSteps = 30;
constexpr double kOvershoot = 1.02;  // DeepFool's
constexpr int kDescentSteps = 20;
constexpr double kDescentStep = 2.5 / kDescentSteps;  // in units of epsilon
constexpr int kBisections = 20;
constexpr double kNotFound = std::numeric_limits<double>::infinity();

double Distance(std::span<const float> a, std::span<const float> b) {
  double squares = 0.0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const double difference = static_cast<double>(a[k]) - static_cast<double>(b[k]);
    squares += difference * difference;
  }
  return std::sqrt(squares);
}

double Norm(std::span<const float> v) {
  double squares = 0.0;
  for (const float x : v) squares += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(squares);
}

// Distances of the rows of the last layer, [rows, rows]. They bound how fast a margin can shrink. A
// single score is compared with 0, so its row is too.
std::vector<double> RowDistances(const FrozenNetwork& network) {
  const auto& head = std::get<DenseLayer>(network.layers.back());
  const std::size_t rows = NumClasses(network) * network.prototypes_per_class;
  const std::vector<float> zeros(head.inputs, 0.0F);
  const auto row = [&](std::size_t r) {
    return r < head.outputs ? std::span(head.weights).subspan(r * head.inputs, head.inputs)
                            : std::span<const float>(zeros);
  };
  std::vector<double> distances(rows * rows);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      distances[i * rows + j] = distances[j * rows + i] = Distance(row(i), row(j));
    }
  }
  return distances;
}

// One batch under attack. A single score f stands for the scores (f, 0). A class with prototypes is
// attacked through the best of them.
class BatchAttack {
 public:
  BatchAttack(const CertifiedModel& model, std::vector<float> inputs,
              std::vector<std::size_t> labels)
      : model_(model),
        worker_(model.NewWorker()),
        gradient_(model.frozen().network),
        row_distances_(RowDistances(model.frozen().network)),
        rows_(NumClasses(model.frozen().network) * model.frozen().network.prototypes_per_class),
        per_class_(model.frozen().network.prototypes_per_class),
        scores_(NumRows(model.frozen().network)),
        size_(model.input_size()),
        start_(std::move(inputs)),
        labels_(std::move(labels)),
        distances_(labels_.size(), kNotFound),
        directions_(start_.size()),
        margins_(labels_.size()),
        slopes_(labels_.size()) {}

  // Newton steps to the linearised boundary, until the class changes.
  void DeepFool() {
    std::vector<float> moved = start_;
    for (int step = 0; step < kDeepFoolSteps; ++step) {
      Linearise(moved);
      for (std::size_t n = 0; n < labels_.size(); ++n) {
        if (margins_[n] < 0.0 || slopes_[n] == 0.0) continue;
        Move(n, kOvershoot * margins_[n] / slopes_[n] + 1e-6, moved);
      }
    }
    TakeSuccesses(moved);
  }

  // Steps of equal length down the margin, kept within `epsilon` of the image.
  void Descend(double epsilon) {
    std::vector<float> moved = start_;
    for (int step = 0; step < kDescentSteps; ++step) {
      Linearise(moved);
      for (std::size_t n = 0; n < labels_.size(); ++n) {
        if (margins_[n] < 0.0 || slopes_[n] == 0.0) continue;
        Move(n, kDescentStep * epsilon, moved);
        Project(n, epsilon, moved);
      }
    }
    TakeSuccesses(moved);
  }

  const std::vector<double>& distances() const { return distances_; }

 private:
  std::span<float> Row(std::vector<float>& values, std::size_t n) const {
    return std::span(values).subspan(n * size_, size_);
  }
  std::span<const float> Row(const std::vector<float>& values, std::size_t n) const {
    return std::span(values).subspan(n * size_, size_);
  }

  double Score(ConstMatrixView scores, std::size_t n, std::size_t row) const {
    return row < scores_ ? static_cast<double>(scores.row(n)[row]) : 0.0;
  }

  // The row of point n's label with the largest score.
  std::size_t BestOwnRow(ConstMatrixView scores, std::size_t n) const {
    const std::size_t first = labels_[n] * per_class_;
    std::size_t own = first;
    for (std::size_t row = first + 1; row < first + per_class_; ++row) {
      if (Score(scores, n, row) > Score(scores, n, own)) own = row;
    }
    return own;
  }

  // The row of another class whose boundary with row `own` is nearest, by the last layer's weights.
  std::size_t Nearest(ConstMatrixView scores, std::size_t n, std::size_t own) const {
    std::size_t nearest = labels_[n] == 0 ? per_class_ : 0;
    double least = kNotFound;
    for (std::size_t row = 0; row < rows_; ++row) {
      const double between = row_distances_[own * rows_ + row];
      if (row / per_class_ == labels_[n] || between == 0.0) continue;
      const double ratio = (Score(scores, n, own) - Score(scores, n, row)) / between;
      if (ratio < least) {
        least = ratio;
        nearest = row;
      }
    }
    return nearest;
  }

  // Computes the margins towards the nearest class, and their descent directions, at `points`.
  void Linearise(const std::vector<float>& points) {
    const ConstMatrixView scores = gradient_.Scores({points.data(), labels_.size(), size_});
    std::vector<float> weights(labels_.size() * scores_, 0.0F);
    for (std::size_t n = 0; n < labels_.size(); ++n) {
      const std::size_t own = BestOwnRow(scores, n);
      const std::size_t other = Nearest(scores, n, own);
      margins_[n] = Score(scores, n, own) - Score(scores, n, other);
      if (own < scores_) weights[n * scores_ + own] -= 1.0F;
      if (other < scores_) weights[n * scores_ + other] += 1.0F;
    }
    const ConstMatrixView down = gradient_.Gradient({weights.data(), labels_.size(), scores_});
    directions_.assign(down.data, down.data + down.size());
    for (std::size_t n = 0; n < labels_.size(); ++n) slopes_[n] = Norm(Row(directions_, n));
  }

  // Moves point n by `length` along its direction.
  void Move(std::size_t n, double length, std::vector<float>& points) const {
    const std::span<const float> direction = Row(directions_, n);
    const std::span<float> point = Row(points, n);
    const double scale = length / slopes_[n];
    for (std::size_t k = 0; k < size_; ++k) {
      point[k] = static_cast<float>(static_cast<double>(point[k]) +
                                    scale * static_cast<double>(direction[k]));
    }
  }

  // Projects point n onto the ball around its image.
  void Project(std::size_t n, double radius, std::vector<float>& points) const {
    const double distance = Distance(Row(points, n), Row(start_, n));
    if (distance > radius) Between(n, radius / distance, Row(points, n), Row(points, n));
  }

  // start + share * (far - start).
  void Between(std::size_t n, double share, std::span<const float> far,
               std::span<float> point) const {
    const std::span<const float> start = Row(start_, n);
    for (std::size_t k = 0; k < size_; ++k) {
      const double begin = static_cast<double>(start[k]);
      point[k] = static_cast<float>(begin + share * (static_cast<double>(far[k]) - begin));
    }
  }

  // Which points the model classifies as another class.
  std::vector<bool> AreOtherClass(const std::vector<float>& points) {
    std::vector<Answer> answers(labels_.size());
    model_.Classify({points.data(), labels_.size(), size_}, *worker_, answers);
    std::vector<bool> other(labels_.size());
    for (std::size_t n = 0; n < labels_.size(); ++n) {
      other[n] = answers[n].class_index != labels_[n];
    }
    return other;
  }

  // Bisects between image and success. Only points that the model has classified count.
  void TakeSuccesses(const std::vector<float>& points) {
    const std::vector<bool> succeeded = AreOtherClass(points);
    std::vector<double> low(labels_.size(), 0.0);
    std::vector<double> high(labels_.size(), 1.0);
    const auto take = [this](std::size_t n, const std::vector<float>& tried) {
      distances_[n] = std::min(distances_[n], Distance(Row(tried, n), Row(start_, n)));
    };
    for (std::size_t n = 0; n < labels_.size(); ++n) {
      if (succeeded[n]) take(n, points);
    }
    std::vector<float> tried(points.size());
    for (int step = 0; step < kBisections; ++step) {
      for (std::size_t n = 0; n < labels_.size(); ++n) {
        Between(n, (low[n] + high[n]) / 2.0, Row(points, n), Row(tried, n));
      }
      const std::vector<bool> other = AreOtherClass(tried);
      for (std::size_t n = 0; n < labels_.size(); ++n) {
        (other[n] ? high : low)[n] = (low[n] + high[n]) / 2.0;
        if (succeeded[n] && other[n]) take(n, tried);
      }
    }
  }

  const CertifiedModel& model_;
  const CertifiedModel::WorkerHandle worker_;
  FrozenGradient gradient_;
  const std::vector<double> row_distances_;
  const std::size_t rows_;       // that the classes have, all together
  const std::size_t per_class_;  // of them
  const std::size_t scores_;     // of the network: 1, or one a row
  const std::size_t size_;       // of an input
  const std::vector<float> start_;
  const std::vector<std::size_t> labels_;
  std::vector<double> distances_;  // the least found so far
  std::vector<float> directions_;  // down the margin, at the points of the last Linearise
  std::vector<double> margins_;
  std::vector<double> slopes_;  // norms of the directions
};

// Attacks samples that are classified rightly, `batch` of them, and fills in their distances.
void AttackBatch(const CertifiedModel& model, const Samples& samples,
                 std::span<const std::size_t> batch, std::span<const double> epsilons,
                 std::vector<double>& distances) {
  const PixelScaling scaling(model.frozen().pixel_divisor);
  std::vector<float> inputs(batch.size() * samples.shape.size());
  std::vector<std::size_t> labels;
  for (std::size_t n = 0; n < batch.size(); ++n) {
    scaling.Apply(samples.image(batch[n]),
                  std::span(inputs).subspan(n * samples.shape.size(), samples.shape.size()));
    labels.push_back(static_cast<std::size_t>(samples.labels[batch[n]]));
  }
  BatchAttack attack(model, std::move(inputs), std::move(labels));
  attack.DeepFool();
  for (const double epsilon : epsilons) {
    if (epsilon > 0.0) attack.Descend(epsilon);
  }
  distances.insert(distances.end(), attack.distances().begin(), attack.distances().end());
}

EmpiricalEvaluation Summarize(const std::vector<std::size_t>& right,
                              const std::vector<double>& distances, const Evaluation& evaluation,
                              std::span<const double> epsilons, std::size_t attacked) {
  EmpiricalEvaluation empirical;
  empirical.samples = attacked;
  const auto share = [attacked](std::ptrdiff_t count) {
    return static_cast<double>(count) / static_cast<double>(attacked);
  };
  const auto certified = [&](double epsilon) {
    return share(std::count_if(right.begin(), right.end(), [&](std::size_t i) {
      return IsCertifiedAt(evaluation.outcomes[i].radius_l2, epsilon);
    }));
  };
  const auto robust = [&](double epsilon) {
    return share(std::count_if(distances.begin(), distances.end(),
                               [epsilon](double distance) { return distance > epsilon; }));
  };
  for (const double epsilon : epsilons) {
    empirical.accuracies.push_back({epsilon, certified(epsilon), robust(epsilon)});
  }
  for (const std::size_t i : right) {
    empirical.radii_l2.push_back(evaluation.outcomes[i].radius_l2);
  }
  std::sort(empirical.radii_l2.begin(), empirical.radii_l2.end());
  empirical.distances_l2 = distances;
  std::sort(empirical.distances_l2.begin(), empirical.distances_l2.end());
  return empirical;
}

}  // namespace

absl::StatusOr<EmpiricalEvaluation> AttackSamples(const CertifiedModel& model,
                                                  const Samples& samples,
                                                  const Evaluation& evaluation,
                                                  std::span<const double> epsilons,
                                                  std::size_t images) {
  constexpr std::uint64_t kSeed = 0;
  constexpr std::int64_t kDraw = 0;
  const std::vector<std::uint32_t> order = ShuffledOrder(samples.size(), kSeed, kDraw);
  const std::size_t attacked = std::min(images, order.size());
  std::vector<std::size_t> right(order.begin(),
                                 order.begin() + static_cast<std::ptrdiff_t>(attacked));
  std::erase_if(right, [&](std::size_t i) { return !evaluation.outcomes[i].is_right(); });
  std::vector<double> distances;
  for (std::size_t begin = 0; begin < right.size(); begin += model.max_batch()) {
    const std::size_t count = std::min(model.max_batch(), right.size() - begin);
    AttackBatch(model, samples, std::span(right).subspan(begin, count), epsilons, distances);
  }
  // The sum of squares in float64 is off by less than this.
  constexpr double kRounding = 1e-9;
  for (std::size_t n = 0; n < right.size(); ++n) {
    const double radius = evaluation.outcomes[right[n]].radius_l2;
    if (distances[n] * (1.0 + kRounding) >= radius) continue;
    return absl::InternalError(absl::StrCat(
        "sample ", right[n], ": expected no other class within its certified radius ", radius,
        ", found one at distance ", distances[n], ": the certificate is broken; report this"));
  }
  return Summarize(right, distances, evaluation, epsilons, attacked);
}

}  // namespace lipserve::trainer
