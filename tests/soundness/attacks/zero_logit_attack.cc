// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <random>
#include <utility>

#include "model/foundation/status_macros.h"
#include "tests/soundness/attacks/attacks.h"

namespace lipserve {
namespace {

// Projects onto the linearised ties of class 0 with each other class in turn (Kaczmarz): ends
// where all scores are equal as far as float32 inputs permit.
std::vector<float> FindTie(const WhiteBox& white_box, std::vector<float> input) {
  constexpr int kSweeps = 30;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (std::size_t other = 1; other < white_box.num_classes(); ++other) {
      const Descent descent = white_box.Towards(input, 0, other);
      input = Step(input, descent.gradient, descent.Distance());
    }
  }
  return input;
}

// The first point of a ray that the server certifies, by bisection; or the last one tried, without
// a radius, if none is.
absl::StatusOr<AttackCenter> FirstCertified(const AttackSession& session,
                                            const std::vector<float>& start,
                                            const std::vector<double>& direction, double length) {
  constexpr int kBisections = 30;
  LIPSERVE_ASSIGN_OR_RETURN(AttackCenter certified,
                            session.Certify(Step(start, direction, length)));
  double low = 0.0;
  double high = length;
  for (int i = 0; i < kBisections && certified.radius_l2 > 0.0; ++i) {
    const double middle = 0.5 * (low + high);
    LIPSERVE_ASSIGN_OR_RETURN(AttackCenter center, session.Certify(Step(start, direction, middle)));
    if (center.radius_l2 > 0.0) {
      high = middle;
      certified = std::move(center);
    } else {
      low = middle;
    }
  }
  return certified;
}

}  // namespace

absl::Status ZeroLogitAttack(AttackSession& session, const std::vector<float>& input) {
  constexpr int kRays = 3;
  const auto tie = FindTie(session.white_box(), input);
  const double length = std::max(Norm(Difference(tie, input)), 1e-3);
  std::normal_distribution<double> normal;
  for (int ray = 0; ray < kRays; ++ray) {
    std::vector<double> direction(tie.size());
    for (double& value : direction) value = normal(session.random());
    LIPSERVE_ASSIGN_OR_RETURN(const AttackCenter center,
                              FirstCertified(session, tie, direction, length));
    Candidates candidates;
    const Descent nearest = session.white_box().TowardsNearest(center.input, center.class_index);
    session.AddRays(center, nearest.other, candidates);
    LIPSERVE_RETURN_IF_ERROR(session.Try("zero logit", center, candidates));
  }
  return absl::OkStatus();
}

}  // namespace lipserve
