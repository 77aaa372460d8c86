// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "model/foundation/status_macros.h"
#include "tests/soundness/attacks/attacks.h"

namespace lipserve {
namespace {

// Neighbours across the boundary: `inside` has the class that the search started from.
struct Pair {
  std::vector<float> inside;
  std::vector<float> outside;
};

// Newton steps until the class is no longer `chosen`; empty if that is not reached.
std::vector<float> Leave(const WhiteBox& white_box, std::vector<float> point, std::size_t chosen) {
  constexpr int kSteps = 50;
  for (int step = 0; step < kSteps; ++step) {
    if (white_box.ClassOf(point) != chosen) return point;
    const Descent descent = white_box.TowardsNearest(point, chosen);
    point = Step(point, descent.gradient, 1.01 * descent.Distance());
  }
  return {};
}

// Bisects in float64 and casts, down to points that differ by a rounding.
Pair Bisect(const WhiteBox& white_box, std::size_t chosen, Pair pair) {
  constexpr int kBisections = 60;
  for (int i = 0; i < kBisections; ++i) {
    const auto step = Difference(pair.outside, pair.inside);
    auto middle = Step(pair.inside, step, 0.5 * Norm(step));
    if (middle == pair.inside || middle == pair.outside) break;
    (white_box.ClassOf(middle) == chosen ? pair.inside : pair.outside) = std::move(middle);
  }
  return pair;
}

// The point of the linearised boundary at `boundary` that is nearest to `center`.
std::vector<float> NearestOnLinearisedBoundary(const WhiteBox& white_box,
                                               const AttackCenter& center,
                                               const std::vector<float>& boundary) {
  const Descent descent = white_box.TowardsNearest(boundary, center.class_index);
  if (descent.slope == 0.0) return boundary;
  const auto offset = Difference(boundary, center.input);
  double along = descent.margin;
  for (std::size_t k = 0; k < offset.size(); ++k) along += offset[k] * descent.gradient[k];
  return Step(center.input, descent.gradient, along / descent.slope);
}

absl::Status AttackPair(AttackSession& session, const Pair& pair) {
  for (const auto& end : {pair.inside, pair.outside}) {
    LIPSERVE_ASSIGN_OR_RETURN(const AttackCenter center, session.Certify(end));
    Candidates candidates;
    const Descent nearest = session.white_box().TowardsNearest(end, center.class_index);
    session.AddRays(center, nearest.other, candidates);
    LIPSERVE_RETURN_IF_ERROR(session.Try("nearest pair", center, candidates));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status NearestPairAttack(AttackSession& session, const std::vector<float>& input) {
  const WhiteBox& white_box = session.white_box();
  LIPSERVE_ASSIGN_OR_RETURN(const AttackCenter center, session.Certify(input));
  Pair pair{input, Leave(white_box, input, center.class_index)};
  if (pair.outside.empty()) return session.Try("nearest pair", center, {});
  Candidates candidates;
  for (int step = 0; step < session.effort().nearest_pair_steps; ++step) {
    pair = Bisect(white_box, center.class_index, std::move(pair));
    candidates.Add(pair.outside);
    session.AddRay(center, Difference(pair.outside, center.input), candidates);
    auto nearer = NearestOnLinearisedBoundary(white_box, center, pair.outside);
    // Back across the boundary, where the network has bent.
    auto left = Leave(white_box, nearer, center.class_index);
    if (left.empty()) break;
    pair = {center.input, std::move(left)};
  }
  LIPSERVE_RETURN_IF_ERROR(session.Try("nearest pair", center, candidates));
  return AttackPair(session, Bisect(white_box, center.class_index, std::move(pair)));
}

}  // namespace lipserve
