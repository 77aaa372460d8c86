// SPDX-License-Identifier: Apache-2.0
// Counts what attacks achieve: candidates inside the certified ball, violations, and how close
// beyond the radius the nearest change of class was found.
#ifndef TESTS_SOUNDNESS_ATTACK_TALLY_H_
#define TESTS_SOUNDNESS_ATTACK_TALLY_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tests/model/quad.h"

namespace lipserve {

// A point whose certificate is under attack.
struct AttackCenter {
  std::vector<float> input;
  std::size_t class_index = 0;
  double radius_l2 = 0.0;
};

// The exact squared distance, up to a relative 2^-100: float32 differences squared and summed in
// quadruple precision.
template <typename Element>
Quad SquaredDistance(std::span<const Element> a, std::span<const Element> b) {
  Quad sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const Quad moved = static_cast<Quad>(a[k]) - static_cast<Quad>(b[k]);
    sum += moved * moved;
  }
  return sum;
}

// Certainly within the closed ball: the sum above errs by less than the factor.
inline bool IsInBall(Quad squared_distance, double radius_l2) {
  return squared_distance * (1 + 0x1p-90) <=
         static_cast<Quad>(radius_l2) * static_cast<Quad>(radius_l2);
}

class AttackTally {
 public:
  struct Row {
    std::uint64_t centers = 0;
    std::uint64_t in_ball = 0;
    std::uint64_t violations = 0;
    // min (distance / radius - 1) over candidates beyond the radius that changed the class.
    double smallest_gap = std::numeric_limits<double>::infinity();
  };

  void CountCenter(const std::string& attack) { ++rows_[attack].centers; }

  // Records one candidate and the class that the server gave it.
  void Count(const std::string& attack, const AttackCenter& center, Quad squared_distance,
             std::size_t class_index) {
    Row& row = rows_[attack];
    const bool changed = class_index != center.class_index;
    if (IsInBall(squared_distance, center.radius_l2)) {
      ++row.in_ball;
      if (changed) ++row.violations;
    } else if (changed) {
      const double distance = std::sqrt(static_cast<double>(squared_distance));
      row.smallest_gap = std::fmin(row.smallest_gap, distance / center.radius_l2 - 1.0);
    }
  }

  const std::map<std::string, Row>& rows() const { return rows_; }

  Row Total() const {
    Row total;
    for (const auto& [name, row] : rows_) {
      total.centers += row.centers;
      total.in_ball += row.in_ball;
      total.violations += row.violations;
      total.smallest_gap = std::fmin(total.smallest_gap, row.smallest_gap);
    }
    return total;
  }

 private:
  std::map<std::string, Row> rows_;
};

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_ATTACK_TALLY_H_
