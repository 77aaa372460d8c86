// SPDX-License-Identifier: Apache-2.0
// Counts what attacks achieve: candidates inside the certified ball, violations, and how close
// beyond the radius the nearest change of class was found.
#ifndef TESTS_SOUNDNESS_ATTACKS_ATTACK_TALLY_H_
#define TESTS_SOUNDNESS_ATTACKS_ATTACK_TALLY_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "tests/soundness/attacks/attack_target.h"
#include "tests/soundness/attacks/exact_ball.h"

namespace lipserve {

// A point whose certificate is under attack. Element: float, or std::uint8_t for pixels.
template <typename Element>
struct CenterOf {
  std::vector<Element> input;
  std::size_t class_index = 0;
  double radius_l2 = 0.0;  // in the unit of the input
};
using AttackCenter = CenterOf<float>;
using PixelCenter = CenterOf<std::uint8_t>;

class AttackTally {
 public:
  struct Row {
    std::uint64_t centers = 0;
    std::uint64_t in_ball = 0;
    std::uint64_t violations = 0;
    // min (distance / radius - 1) over candidates beyond the radius that changed the class.
    double smallest_gap = std::numeric_limits<double>::infinity();

    void Add(const Row& other) {
      centers += other.centers;
      in_ball += other.in_ball;
      violations += other.violations;
      smallest_gap = std::fmin(smallest_gap, other.smallest_gap);
    }
  };

  // Records one centre, the candidates tried around it, [N, input size], and what the server
  // answered to each.
  template <typename Element>
  void Count(const std::string& attack, const CenterOf<Element>& center,
             std::span<const Element> candidates, std::span<const TargetAnswer> answers) {
    Row& row = rows_[attack];
    ++row.centers;
    const std::size_t size = center.input.size();
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto candidate = candidates.subspan(i * size, size);
      const bool changed = answers[i].class_index != center.class_index;
      if (IsInBall(candidate, std::span<const Element>(center.input), center.radius_l2)) {
        ++row.in_ball;
        if (changed) RecordViolation(attack, row, center, candidate, answers[i].class_index);
      } else if (changed) {
        const double distance = DistanceEstimate(candidate, std::span<const Element>(center.input));
        row.smallest_gap = std::fmin(row.smallest_gap, distance / center.radius_l2 - 1.0);
      }
    }
  }

  // `suffix`: for the names of the other's attacks.
  void Add(const AttackTally& other, const std::string& suffix = "") {
    for (const auto& [name, row] : other.rows_) rows_[name + suffix].Add(row);
    if (first_violation_.empty()) first_violation_ = other.first_violation_;
  }

  const std::map<std::string, Row>& rows() const { return rows_; }
  // What happened the first time that a certificate was false; empty if none was.
  const std::string& first_violation() const { return first_violation_; }

  Row Total() const {
    Row total;
    for (const auto& [name, row] : rows_) total.Add(row);
    return total;
  }

 private:
  template <typename Element>
  void RecordViolation(const std::string& attack, Row& row, const CenterOf<Element>& center,
                       std::span<const Element> candidate, std::size_t class_index) {
    ++row.violations;
    if (!first_violation_.empty()) return;
    first_violation_ = absl::StrFormat(
        "%s: class %d certified within %.17g, but at distance %.17g it is %d", attack,
        center.class_index, center.radius_l2,
        DistanceEstimate(candidate, std::span<const Element>(center.input)), class_index);
  }

  std::map<std::string, Row> rows_;
  std::string first_violation_;
};

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_ATTACKS_ATTACK_TALLY_H_
