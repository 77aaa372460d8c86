// SPDX-License-Identifier: Apache-2.0
// Integer powers that are the same with every C library; std::pow's last digit is not.
#ifndef TRAINER_OPTIMIZERS_INTEGER_POWER_H_
#define TRAINER_OPTIMIZERS_INTEGER_POWER_H_

#include <cstdint>

namespace lipserve::trainer {

// base^exponent by repeated squaring. Requires: exponent >= 0.
inline double IntegerPower(double base, std::int64_t exponent) {
  double power = 1.0;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) power *= base;
    base *= base;
  }
  return power;
}

}  // namespace lipserve::trainer

#endif  // TRAINER_OPTIMIZERS_INTEGER_POWER_H_
