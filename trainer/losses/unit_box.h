// SPDX-License-Identifier: Apache-2.0
// The distance from a point to a half space within the box [0, 1]^n: what an adversary of images
// has to overcome. It is larger than the distance to the half space itself, because black pixels
// cannot get darker and white pixels not brighter.
//
//   minimise ||d||  with  <a, d> >= gap  and  x + d in [0, 1]^n
//
// is solved by d(t) = clip(x + t a, 0, 1) - x for the least t >= 0 with <a, d(t)> >= gap (the
// conditions of Karush, Kuhn and Tucker). <a, d(t)> is concave, increasing and piecewise linear, so
// Newton's steps from t = 0 reach that t from below, after at most as many steps as it has pieces.
#ifndef TRAINER_LOSSES_UNIT_BOX_H_
#define TRAINER_LOSSES_UNIT_BOX_H_

#include <span>

namespace lipserve::trainer {

// The solution: d = clip(x + multiplier a, 0, 1) - x.
struct BoxStep {
  double multiplier = 0.0;
  double length = 0.0;  // ||d||; infinite if no point of the box lies in the half space
};

// In float64, not rounded outward: a target of training, or a guess that a proof then checks.
//
// Requires: x in [0, 1]^n, a finite, gap >= 0.
BoxStep NearestInUnitBox(std::span<const float> x, std::span<const double> a, double gap);

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_UNIT_BOX_H_
