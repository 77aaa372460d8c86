// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "model/foundation/status_macros.h"
#include "tests/soundness/attacks/attacks.h"

namespace lipserve {
namespace {

// Moves `start` down the margin to `margin` or a little less; the class stays. Where the network
// bends, a step that leaves the class is halved.
std::vector<float> WalkToMargin(const WhiteBox& white_box, std::vector<float> start,
                                double margin) {
  constexpr int kSteps = 40;
  const std::size_t chosen = white_box.ClassOf(start);
  double share = 1.0;
  for (int step = 0; step < kSteps; ++step) {
    const Descent descent = white_box.TowardsNearest(start, chosen);
    if (descent.margin <= margin || descent.slope == 0.0) break;
    const double length = share * (descent.margin - 0.9 * margin) / descent.slope;
    auto next = Step(start, descent.gradient, length);
    if (white_box.ClassOf(next) == chosen) {
      start = std::move(next);
    } else {
      share *= 0.5;
    }
  }
  return start;
}

}  // namespace

absl::Status BoundaryRayAttack(AttackSession& session, const std::vector<float>& input) {
  const WhiteBox& white_box = session.white_box();
  const double margin = white_box.TowardsNearest(input, white_box.ClassOf(input)).margin;
  for (const double share : {0.3, 0.1, 1e-2, 1e-3, 1e-4, 1e-5}) {
    LIPSERVE_ASSIGN_OR_RETURN(const AttackCenter center,
                              session.Certify(WalkToMargin(white_box, input, share * margin)));
    Candidates candidates;
    const Descent descent = white_box.TowardsNearest(center.input, center.class_index);
    session.AddRays(center, descent.other, candidates);
    LIPSERVE_RETURN_IF_ERROR(session.Try("boundary ray", center, candidates));
  }
  return absl::OkStatus();
}

}  // namespace lipserve
