// SPDX-License-Identifier: Apache-2.0
// What all attacks share: the server under attack, the attacker's copy of the network, randomness,
// effort, and the count of what was tried.
#ifndef TESTS_SOUNDNESS_ATTACKS_ATTACK_SESSION_H_
#define TESTS_SOUNDNESS_ATTACKS_ATTACK_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/soundness/attacks/attack_tally.h"
#include "tests/soundness/attacks/attack_target.h"
#include "tests/soundness/attacks/rounding_search.h"
#include "tests/soundness/attacks/white_box.h"

namespace lipserve {

// How hard each attack tries.
struct AttackEffort {
  int roundings = 100;  // of the point at the radius, per ray
  int projected_gradient_steps = 60;
  int projected_gradient_restarts = 1;
  int deep_fool_steps = 100;
  int carlini_wagner_steps = 20;  // per weight
  int nearest_pair_steps = 10;
};

// Candidate inputs, row after row.
class Candidates {
 public:
  void Add(std::span<const float> input) {
    numbers_.insert(numbers_.end(), input.begin(), input.end());
  }
  std::span<const float> numbers() const { return numbers_; }

 private:
  std::vector<float> numbers_;
};

// Threads: not thread-safe.
class AttackSession {
 public:
  // `target` must outlive the session. `precision`: of the certificates under attack.
  AttackSession(const AttackTarget& target, const AttackEffort& effort, std::uint64_t seed,
                v1::RadiusPrecision precision = v1::RADIUS_PRECISION_TIGHT)
      : target_(target),
        white_box_(target.network()),
        effort_(effort),
        random_(seed),
        precision_(precision) {}

  const AttackTarget& target() const { return target_; }
  const WhiteBox& white_box() const { return white_box_; }
  const AttackEffort& effort() const { return effort_; }
  v1::RadiusPrecision precision() const { return precision_; }
  std::mt19937_64& random() { return random_; }
  const AttackTally& tally() const { return tally_; }

  // Asks the server for the certificate of `input`.
  absl::StatusOr<AttackCenter> Certify(std::vector<float> input) const;

  // Asks the server about every candidate, in TIGHT and FAST calls by turns, and counts. A centre
  // without a radius has no ball: its candidates are dropped.
  //
  // Shapes: candidates: [N, input size].
  template <typename Element>
  absl::Status Try(const std::string& attack, const CenterOf<Element>& center,
                   std::span<const Element> candidates) {
    if (center.radius_l2 <= 0.0) candidates = {};
    fast_ = !fast_;
    const auto answers = target_.Classify(
        candidates, fast_ ? v1::RADIUS_PRECISION_FAST : v1::RADIUS_PRECISION_TIGHT);
    if (!answers.ok()) return answers.status();
    tally_.Count(attack, center, candidates, std::span<const TargetAnswer>(*answers));
    return absl::OkStatus();
  }
  absl::Status Try(const std::string& attack, const AttackCenter& center,
                   const Candidates& candidates) {
    return Try(attack, center, candidates.numbers());
  }

  // Adds points along `direction` at many lengths around the radius, each in several roundings.
  void AddRay(const AttackCenter& center, std::span<const double> direction,
              Candidates& candidates);

  // Adds rays from `center` to class `other`, straight and re-linearised at the far end.
  void AddRays(const AttackCenter& center, std::size_t other, Candidates& candidates);

  // `point` pulled back to `factor` times the radius, if it is farther out.
  static std::vector<float> Within(const AttackCenter& center, std::span<const float> point,
                                   double factor);

  // Random coordinates moved to a float32 neighbour.
  std::vector<float> Jiggled(std::vector<float> point);

 private:
  const AttackTarget& target_;
  WhiteBox white_box_;
  AttackEffort effort_;
  std::mt19937_64 random_;
  v1::RadiusPrecision precision_;
  AttackTally tally_;
  bool fast_ = false;
};

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_ATTACKS_ATTACK_SESSION_H_
