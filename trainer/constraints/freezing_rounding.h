// SPDX-License-Identifier: Apache-2.0
#ifndef TRAINER_CONSTRAINTS_FREEZING_ROUNDING_H_
#define TRAINER_CONSTRAINTS_FREEZING_ROUNDING_H_

namespace lipserve::trainer {

// No kernel is divided by a smaller norm than this: a kernel of zeros gives weights of zeros and a
// finite gradient instead of NaN, and a kernel below it gives weights of a norm below 1.
inline constexpr float kSmallestNorm = 1e-6F;

// Rounds to the nearest float. A subnormal result becomes 0: a frozen model must not depend on
// whether a processor flushes subnormals.
float RoundForFreezing(double value);

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_FREEZING_ROUNDING_H_
