// SPDX-License-Identifier: Apache-2.0
// Serves a random network, attacks it in both precisions, and has every answer proven again by the
// independent checker.
#ifndef TESTS_SOUNDNESS_AUDIT_NETWORK_AUDIT_H_
#define TESTS_SOUNDNESS_AUDIT_NETWORK_AUDIT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/soundness/attacks/attacks.h"
#include "tests/soundness/audit/random_subject.h"

namespace lipserve {

struct AuditOptions {
  AttackEffort effort = {.roundings = 20,
                         .projected_gradient_steps = 20,
                         .projected_gradient_restarts = 1,
                         .deep_fool_steps = 20,
                         .carlini_wagner_steps = 5,
                         .nearest_pair_steps = 3};
  std::size_t images = 1;          // attacked: the reference, then random ones
  std::size_t checked_images = 8;  // whose answers are proven again, and points near them
};

struct AuditResult {
  // By attack; those on FAST certificates have " (FAST)" in their name. "largest accepted" attacks
  // the largest radius that the independent checker accepts.
  AttackTally tally;
  std::uint64_t proven_answers = 0;  // by the independent checker
  std::uint64_t certified = 0;       // of these: those with a radius
  // What is wrong: violations, and answers that the checker refuses. Empty if all is well.
  std::vector<std::string> faults;

  void Add(const AuditResult& other);
};

// Errors: why the network is not served, or the calls' errors.
absl::StatusOr<AuditResult> AuditNetwork(const RandomSubject& subject, const AuditOptions& options,
                                         std::uint64_t seed);

// In-ball candidates that change the class if the radius at the reference image is taken to be
// `factor` times as long: how strong the attack is. 0 if there is no radius.
absl::StatusOr<std::uint64_t> ViolationsOfInflatedRadius(const RandomSubject& subject,
                                                         double factor);

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_AUDIT_NETWORK_AUDIT_H_
