// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/attacks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "model/certificate/pixel_scaling.h"
#include "model/status_macros.h"
#include "tests/model/margin_gradient.h"

namespace lipserve {
namespace {

double Norm(std::span<const double> v) {
  double squares = 0.0;
  for (const double value : v) squares += value * value;
  return std::sqrt(squares);
}

// Classes; a single score stands against the constant 0 as "score" 1.
std::size_t Classes(const FrozenNetwork& network) { return NumClasses(network); }

}  // namespace

double Attacker::Margin(const std::vector<float>& input, std::size_t chosen,
                        std::size_t other) const {
  return ScoreDifference(target_.network(), input, chosen, other);
}

std::size_t Attacker::ClassOf(const std::vector<float>& input) const {
  std::size_t best = 0;
  for (std::size_t j = 1; j < Classes(target_.network()); ++j) {
    if (Margin(input, j, best) > 0.0) best = j;
  }
  return best;
}

std::size_t Attacker::NearestOther(const std::vector<float>& input, std::size_t chosen) const {
  std::size_t nearest = chosen == 0 ? 1 : 0;
  if (Classes(target_.network()) == 2) return nearest;
  double shortest = std::numeric_limits<double>::infinity();
  for (std::size_t j = 0; j < Classes(target_.network()); ++j) {
    if (j == chosen) continue;
    const double slope = Norm(MarginGradient(target_.network(), input, j, chosen));
    const double distance = Margin(input, chosen, j) / std::max(slope, 1e-30);
    if (distance < shortest) {
      shortest = distance;
      nearest = j;
    }
  }
  return nearest;
}

std::size_t Attacker::RandomOther(std::size_t chosen) {
  const std::size_t classes = Classes(target_.network());
  return (chosen + 1 + random_() % (classes - 1)) % classes;
}

absl::StatusOr<AttackCenter> Attacker::Certify(std::vector<float> input) const {
  LIPSERVE_ASSIGN_OR_RETURN(const auto answers, target_.Classify({input}));
  return AttackCenter{.input = std::move(input),
                      .class_index = answers[0].class_index,
                      .radius_l2 = answers[0].radius_l2};
}

absl::Status Attacker::Try(const std::string& attack, const AttackCenter& center,
                           const Points& points) {
  tally_.CountCenter(attack);
  if (points.empty() || center.radius_l2 <= 0.0) return absl::OkStatus();
  LIPSERVE_ASSIGN_OR_RETURN(const auto answers, target_.Classify(points));
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Quad squares = SquaredDistance<float>(points[i], center.input);
    tally_.Count(attack, center, squares, answers[i].class_index);
  }
  return absl::OkStatus();
}

std::vector<float> Attacker::WithRandomRounding(std::vector<float> point) {
  const std::uint64_t share = 1 + random_() % 32;
  for (float& value : point) {
    if (random_() % share != 0) continue;
    value = std::nextafter(value, random_() % 2 == 0 ? -1e9F : 1e9F);
  }
  return point;
}

std::vector<float> Attacker::ProjectedInto(const AttackCenter& center,
                                           const std::vector<float>& point, double factor) const {
  std::vector<double> moved(point.size());
  for (std::size_t k = 0; k < point.size(); ++k) {
    moved[k] = static_cast<double>(point[k]) - static_cast<double>(center.input[k]);
  }
  const double length = std::min(Norm(moved), center.radius_l2 * factor);
  return Step(center.input, moved, length);
}

std::vector<float> Attacker::WalkToMargin(std::vector<float> start, double margin) {
  const std::size_t chosen = ClassOf(start);
  for (int step = 0; step < 40; ++step) {
    const std::size_t other = NearestOther(start, chosen);
    const double now = Margin(start, chosen, other);
    if (now <= margin) break;
    const auto down = MarginGradient(target_.network(), start, other, chosen);
    const auto next = Step(start, down, (now - 0.9 * margin) / std::max(Norm(down), 1e-30));
    if (ClassOf(next) != chosen) break;
    start = next;
  }
  return start;
}

Attacker::Points Attacker::RaysFrom(const AttackCenter& center, std::size_t other) {
  const auto& network = target_.network();
  const auto straight = MarginGradient(network, center.input, other, center.class_index);
  const auto far = Step(center.input, straight, center.radius_l2);
  const auto bent = MarginGradient(network, far, other, center.class_index);
  Points points;
  for (const auto& direction : {straight, bent}) {
    for (int exponent = -9; exponent <= -2; ++exponent) {
      for (const double sign : {-1.0, 1.0}) {
        const double length = center.radius_l2 * (1.0 + sign * std::pow(10.0, exponent));
        const auto point = Step(center.input, direction, length);
        points.push_back(point);
        for (int copy = 0; copy < 6; ++copy) points.push_back(WithRandomRounding(point));
      }
    }
  }
  return points;
}

absl::Status Attacker::BoundaryRay(const std::vector<float>& image) {
  for (const double margin : {0.3, 0.1, 1e-2, 1e-3, 1e-4, 1e-5}) {
    LIPSERVE_ASSIGN_OR_RETURN(const AttackCenter center, Certify(WalkToMargin(image, margin)));
    const std::size_t other = NearestOther(center.input, center.class_index);
    LIPSERVE_RETURN_IF_ERROR(Try("boundary ray", center, RaysFrom(center, other)));
  }
  return absl::OkStatus();
}

// Bisects between the image and a point of another class down to neighbouring float32 vectors: ties
// and near-ties, where certificates that ignore rounding are at their worst.
absl::Status Attacker::ZeroLogit(const std::vector<float>& image) {
  const std::size_t chosen = ClassOf(image);
  const std::size_t other = RandomOther(chosen);
  std::vector<float> inside = image;
  std::vector<float> outside = image;
  for (int step = 0; step < 60 && ClassOf(outside) == chosen; ++step) {
    const auto down = MarginGradient(target_.network(), outside, other, chosen);
    const double gap = std::fabs(Margin(outside, chosen, other));
    outside = Step(outside, down, 1.05 * gap / std::max(Norm(down), 1e-30) + 1e-3);
  }
  for (int step = 0; step < 60; ++step) {
    std::vector<float> middle(image.size());
    for (std::size_t k = 0; k < middle.size(); ++k) {
      middle[k] = inside[k] + 0.5F * (outside[k] - inside[k]);
    }
    if (middle == inside || middle == outside) break;
    (ClassOf(middle) == chosen ? inside : outside) = middle;
  }
  for (const auto& start : {inside, outside, WithRandomRounding(inside)}) {
    LIPSERVE_ASSIGN_OR_RETURN(const AttackCenter center, Certify(start));
    const std::size_t nearest = NearestOther(center.input, center.class_index);
    LIPSERVE_RETURN_IF_ERROR(Try("zero logit", center, RaysFrom(center, nearest)));
  }
  return absl::OkStatus();
}

absl::Status Attacker::ProjectedGradient(const std::vector<float>& image) {
  constexpr int kSteps = 60;
  LIPSERVE_ASSIGN_OR_RETURN(const AttackCenter center, Certify(image));
  std::normal_distribution<double> normal;
  std::vector<double> direction(image.size());
  for (double& value : direction) value = normal(random_);
  std::vector<float> point = Step(center.input, direction, 0.5 * center.radius_l2);
  Points points;
  for (int step = 0; step < kSteps; ++step) {
    const std::size_t other = NearestOther(point, center.class_index);
    const auto down = MarginGradient(target_.network(), point, other, center.class_index);
    const auto moved = Step(point, down, center.radius_l2 * 4.0 / kSteps);
    point = ProjectedInto(center, moved, 1.0 - 1e-7);
    points.push_back(point);
    points.push_back(WithRandomRounding(point));
    points.push_back(ProjectedInto(center, moved, 1.0 + 1e-6));
  }
  return Try("PGD", center, points);
}

absl::Status Attacker::DeepFool(const std::vector<float>& image) {
  LIPSERVE_ASSIGN_OR_RETURN(const AttackCenter center, Certify(image));
  Points points;
  std::vector<float> point = image;
  for (int step = 0; step < 20; ++step) {
    const std::size_t other = NearestOther(point, center.class_index);
    const double gap = Margin(point, center.class_index, other);
    if (gap < 0.0) break;
    const auto down = MarginGradient(target_.network(), point, other, center.class_index);
    point = Step(point, down, 1.001 * gap / std::max(Norm(down), 1e-30) + 1e-7);
    points.push_back(point);
    for (const double factor : {1.0 - 1e-3, 1.0 - 1e-5, 1.0 - 1e-7, 1.0, 1.0 + 1e-6}) {
      points.push_back(ProjectedInto(center, point, factor));
      points.push_back(WithRandomRounding(ProjectedInto(center, point, factor)));
    }
  }
  return Try("DeepFool", center, points);
}

// Minimises ||d||^2 + c max(f_i - f_j, 0) by Adam, for several c.
absl::Status Attacker::CarliniWagner(const std::vector<float>& image) {
  LIPSERVE_ASSIGN_OR_RETURN(const AttackCenter center, Certify(image));
  Points points;
  for (const double weight : {1.0, 10.0, 100.0}) {
    std::vector<float> point = image;
    std::vector<double> first(image.size(), 0.0);
    std::vector<double> second(image.size(), 0.0);
    for (int step = 1; step <= 20; ++step) {
      const std::size_t other = NearestOther(point, center.class_index);
      const double gap = Margin(point, center.class_index, other);
      const auto up = MarginGradient(target_.network(), point, center.class_index, other);
      for (std::size_t k = 0; k < point.size(); ++k) {
        const double moved = static_cast<double>(point[k]) - static_cast<double>(image[k]);
        const double gradient = 2.0 * moved + (gap > 0.0 ? weight * up[k] : 0.0);
        first[k] = 0.9 * first[k] + 0.1 * gradient;
        second[k] = 0.999 * second[k] + 0.001 * gradient * gradient;
        const double m = first[k] / (1.0 - std::pow(0.9, step));
        const double v = second[k] / (1.0 - std::pow(0.999, step));
        point[k] -= static_cast<float>(0.05 * m / (std::sqrt(v) + 1e-8));
      }
      points.push_back(point);
      points.push_back(ProjectedInto(center, point, 1.0 - 1e-7));
      points.push_back(WithRandomRounding(points.back()));
    }
  }
  return Try("Carlini-Wagner", center, points);
}

// Changes pixels by one step each, steepest first, as many as the pixel radius permits: every
// prefix of the changes is a candidate.
absl::Status Attacker::GreedyPixels(const std::vector<std::uint8_t>& pixels) {
  LIPSERVE_ASSIGN_OR_RETURN(const auto answers, target_.ClassifyPixels({pixels}));
  const PixelScaling scaling(target_.pixel_divisor());
  AttackCenter center{.input = std::vector<float>(pixels.begin(), pixels.end()),
                      .class_index = answers[0].class_index,
                      .radius_l2 = answers[0].radius_l2};
  std::vector<float> input(pixels.size());
  scaling.Apply(pixels, input);
  const std::size_t other = NearestOther(input, center.class_index);
  const auto down = MarginGradient(target_.network(), input, other, center.class_index);
  std::vector<std::size_t> order(pixels.size());
  for (std::size_t k = 0; k < order.size(); ++k) order[k] = k;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return std::fabs(down[a]) > std::fabs(down[b]); });
  std::vector<std::vector<std::uint8_t>> images;
  std::vector<std::uint8_t> image = pixels;
  const auto sweep = static_cast<double>(order.size());
  const double budget = center.radius_l2 * center.radius_l2;
  const double levels = std::max(1.0, std::floor(std::sqrt(budget / sweep)));
  for (const std::size_t k : order) {
    const double change = down[k] > 0.0 ? levels : -levels;
    const double moved = std::clamp(static_cast<double>(pixels[k]) + change, 0.0, 255.0);
    image[k] = static_cast<std::uint8_t>(moved);
    images.push_back(image);
  }
  tally_.CountCenter("greedy pixels");
  if (center.radius_l2 <= 0.0) return absl::OkStatus();
  LIPSERVE_ASSIGN_OR_RETURN(const auto changed, target_.ClassifyPixels(images));
  for (std::size_t i = 0; i < images.size(); ++i) {
    const Quad squares = SquaredDistance<std::uint8_t>(images[i], pixels);
    tally_.Count("greedy pixels", center, squares, changed[i].class_index);
  }
  return absl::OkStatus();
}

absl::Status Attacker::AttackImage(const std::vector<std::uint8_t>& pixels) {
  std::vector<float> image(pixels.size());
  PixelScaling(target_.pixel_divisor()).Apply(pixels, image);
  LIPSERVE_RETURN_IF_ERROR(BoundaryRay(image));
  LIPSERVE_RETURN_IF_ERROR(ZeroLogit(image));
  LIPSERVE_RETURN_IF_ERROR(ProjectedGradient(image));
  LIPSERVE_RETURN_IF_ERROR(DeepFool(image));
  LIPSERVE_RETURN_IF_ERROR(CarliniWagner(image));
  return GreedyPixels(pixels);
}

}  // namespace lipserve
