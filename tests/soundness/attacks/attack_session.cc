// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/attacks/attack_session.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "model/foundation/status_macros.h"

namespace lipserve {

absl::StatusOr<AttackCenter> AttackSession::Certify(std::vector<float> input) const {
  LIPSERVE_ASSIGN_OR_RETURN(const auto answers, target_.Classify(input, precision_));
  return AttackCenter{.input = std::move(input),
                      .class_index = answers[0].class_index,
                      .radius_l2 = answers[0].radius_l2};
}

void AttackSession::AddRay(const AttackCenter& center, std::span<const double> direction,
                           Candidates& candidates) {
  constexpr int kRoundingsBesideTheRadius = 6;
  for (int exponent = -9; exponent <= -2; ++exponent) {
    for (const double sign : {-1.0, 1.0}) {
      const double length = center.radius_l2 * (1.0 + sign * std::pow(10.0, exponent));
      candidates.Add(Step(center.input, direction, length));
      RoundingSearch beside(center.input, direction, length, random_);
      for (int i = 0; i < kRoundingsBesideTheRadius; ++i) candidates.Add(beside.Next());
    }
  }
  RoundingSearch at_radius(center.input, direction, center.radius_l2, random_);
  for (int i = 0; i < effort_.roundings; ++i) candidates.Add(at_radius.Next());
}

void AttackSession::AddRays(const AttackCenter& center, std::size_t other, Candidates& candidates) {
  if (center.radius_l2 <= 0.0) return;
  const Descent straight = white_box_.Towards(center.input, center.class_index, other);
  AddRay(center, straight.gradient, candidates);
  const auto far = Step(center.input, straight.gradient, center.radius_l2);
  AddRay(center, white_box_.Towards(far, center.class_index, other).gradient, candidates);
}

std::vector<float> AttackSession::Within(const AttackCenter& center, std::span<const float> point,
                                         double factor) {
  const std::vector<double> moved = Difference(point, center.input);
  return Step(center.input, moved, std::min(Norm(moved), center.radius_l2 * factor));
}

std::vector<float> AttackSession::Jiggled(std::vector<float> point) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  const std::uint64_t share = 1 + random_() % 32;
  for (float& value : point) {
    if (random_() % share != 0) continue;
    value = std::nextafter(value, random_() % 2 == 0 ? -kLargest : kLargest);
  }
  return point;
}

}  // namespace lipserve
