// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/audit/random_subject.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/model/margin_gradient.h"
#include "tests/soundness/attacks/white_box.h"
#include "tests/soundness/audit/subject_layers.h"

namespace lipserve {
namespace {

// Chooses the layers, and aligns the last one.
class SubjectBuilder : SubjectLayers {
 public:
  SubjectBuilder(std::uint64_t seed, SubjectKind kind, bool aligned)
      : SubjectLayers(seed, kind, aligned) {}

  RandomSubject Build() {
    DrawImage();
    if (aligned_) {
      Rotate(shape_.channels);
      if (Chance(2)) AddIsometry(/*onto=*/true);
      AddLayer(kind_, /*gain=*/true);
      if (Chance(2)) AddIsometry(/*onto=*/false);
    } else {
      const std::size_t before = Below(3);
      for (std::size_t i = 0; i < before; ++i) AddAny();
      AddLayer(kind_, true);
      const std::size_t after = Below(4);
      for (std::size_t i = 0; i < after; ++i) AddAny();
    }
    Flatten();
    AddScores();
    if (IsChain()) network_.inputs.clear();
    RandomSubject subject{.model = ModelOf(std::move(network_)),
                          .kind = kind_,
                          .aligned = aligned_,
                          .image = std::move(image_)};
    subject.model.pixel_divisor = divisor_;
    return subject;
  }

 private:
  static void Normalise(Vector& v) {
    const double norm = Norm(v);
    for (double& value : v) value /= norm > 0.0 ? norm : 1.0;
  }
  // The left singular vector of J's largest singular value, by power iterations; sets that.
  Vector LargestDirection(double& singular_value) {
    Vector v(reference_.size());
    std::normal_distribution<double> normal;
    for (double& value : v) value = normal(random_);
    Vector u;
    const TracedScores trace = TraceScores(network_, reference_);
    const Vector at(reference_.begin(), reference_.end());
    const double step = 1e-7 * std::max(Norm(at), 1e-30);
    for (int iteration = 0; iteration < 60; ++iteration) {
      Normalise(v);
      Vector moved = at;
      for (std::size_t k = 0; k < at.size(); ++k) moved[k] += step * v[k];
      u = NetworkValues<double, TracedLayer>(network_, moved).back();
      for (std::size_t k = 0; k < u.size(); ++k) u[k] = (u[k] - x_[k]) / step;
      Normalise(u);
      v = Backward(network_, trace, u);
    }
    singular_value = Norm(v);
    return u;
  }

  // The last layer.
  void AddScores() {
    constexpr std::size_t kScores[] = {1, 2, 2, 3, 5, 10};
    const std::size_t scores = kScores[Below(6)];
    const std::size_t prototypes = scores > 1 && Chance(4) ? 2 + Below(3) : 1;
    network_.prototypes_per_class = prototypes;
    const std::size_t inputs = shape_.size();
    DenseLayer last;
    last.inputs = inputs;
    last.outputs = scores * prototypes;
    last.weights = RandomFloats(random_, last.outputs * inputs, 1.0);
    if (aligned_) {
      Align(last);
    } else {
      last.weights = Weights(std::move(last.weights));
      last = Dressed(std::move(last), last.outputs);
    }
    TieRows(last);
    AddClaimed(std::move(last));
  }
  // Rows a and b differ along the largest singular vector. At the reference, a is above b by a
  // margin that makes a small radius, and all others are far below.
  void Align(DenseLayer& last) {
    double singular_value = 0.0;
    const Vector u = LargestDirection(singular_value);
    const std::size_t inputs = last.inputs;
    const std::size_t a = Below(last.outputs);
    std::size_t b = last.outputs == 1 ? 0 : Below(last.outputs);
    while (last.outputs > 1 &&
           b / network_.prototypes_per_class == a / network_.prototypes_per_class) {
      b = Below(last.outputs);
    }
    for (std::size_t k = 0; k < inputs; ++k) {
      const auto common =
          static_cast<double>(last.outputs == 1 ? 0.0F : last.weights[a * inputs + k]);
      last.weights[a * inputs + k] = static_cast<float>(common + u[k]);
      if (a != b) last.weights[b * inputs + k] = static_cast<float>(common - u[k]);
    }
    constexpr double kRadii[] = {0.1, 0.01, 0.001};
    const double radius = kRadii[Below(3)] * Norm(Vector(reference_.begin(), reference_.end())) /
                          std::sqrt(static_cast<double>(reference_.size()));
    const double margin = radius * singular_value;
    last.bias.clear();
    const Vector plain = LayerDefinition<double>{x_, shape_}(last);
    for (std::size_t i = 0; i < last.outputs; ++i) {
      const double level = i == a ? margin : i == b ? -margin : -Uniform(100.0, 1000.0) * margin;
      last.bias.push_back(static_cast<float>(level - plain[i]));
    }
    for (std::vector<float>* const numbers : {&last.weights, &last.bias}) {
      for (float& number : *numbers) number = std::isnormal(number) ? number : 0.0F;
    }
  }
  // Some last layers have two equal rows.
  void TieRows(DenseLayer& last) {
    if (last.outputs < 4 || !Chance(4)) return;
    const std::size_t from = Below(last.outputs);
    const std::size_t to = Below(last.outputs);
    const auto row = last.weights.begin() + static_cast<std::ptrdiff_t>(from * last.inputs);
    std::vector<float> copy(row, row + static_cast<std::ptrdiff_t>(last.inputs));
    std::copy(copy.begin(), copy.end(),
              last.weights.begin() + static_cast<std::ptrdiff_t>(to * last.inputs));
    if (!last.bias.empty()) last.bias[to] = last.bias[from];
  }
};

}  // namespace

const char* SubjectKindName(SubjectKind kind) {
  constexpr std::array<const char*, kNumSubjectKinds> kNames = {"dense",
                                                                "zero padding",
                                                                "reflection",
                                                                "replication",
                                                                "circular",
                                                                "average pool",
                                                                "L2-norm pool",
                                                                "group sort",
                                                                "up-sampling",
                                                                "absolute value",
                                                                "max-min",
                                                                "concatenated ReLU",
                                                                "PReLU",
                                                                "Householder",
                                                                "potential of dense",
                                                                "potential of conv.",
                                                                "permutation",
                                                                "sum",
                                                                "clip",
                                                                "max pool"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string RandomSubject::Description() const {
  std::string text =
      absl::StrCat(aligned ? "aligned, " : "chain, ", SubjectKindName(kind), ": divisor ",
                   model.pixel_divisor, ", prototypes ", model.network.prototypes_per_class);
  for (const FrozenLayer& layer : model.network.layers) {
    absl::StrAppend(&text, "; ", DescribeLayer(layer));
  }
  if (!model.network.inputs.empty()) {
    absl::StrAppend(&text, "; inputs ", absl::StrJoin(model.network.inputs, ", "));
  }
  return text;
}

RandomSubject DrawSubject(std::uint64_t seed) {
  return SubjectBuilder(seed * 2654435761U + 1, static_cast<SubjectKind>(seed % kNumSubjectKinds),
                        seed / kNumSubjectKinds % 2 == 0)
      .Build();
}

}  // namespace lipserve
