// SPDX-License-Identifier: Apache-2.0
// The cross-entropy of a softmax, computed from the differences of the other classes' logits to the
// label's.
#ifndef TRAINER_LOSSES_SOFTMAX_EXCESS_H_
#define TRAINER_LOSSES_SOFTMAX_EXCESS_H_

#include <algorithm>
#include <cmath>
#include <span>

namespace lipserve::trainer {

// log(1 + sum_k exp(z_k)) = -log p_y, where z_k is logit k less the label's logit; replaces each
// z_k by its share of the softmax, which is also the derivative.
//
// Guarantee: no overflow for finite z, and no cancellation where p_y is near 1.
inline double CrossEntropyOfExcess(std::span<double> z) {
  double largest = 0.0;
  for (const double excess : z) largest = std::max(largest, excess);
  double others = 0.0;
  for (double& excess : z) {
    excess = std::exp(excess - largest);
    others += excess;
  }
  const double own = std::exp(-largest);
  for (double& share : z) share /= own + others;
  return largest == 0.0 ? std::log1p(others) : largest + std::log(own + others);
}

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_SOFTMAX_EXCESS_H_
