// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/freezing_rounding.h"

#include <cmath>

namespace lipserve::trainer {

float RoundForFreezing(double value) {
  const float rounded = static_cast<float>(value);
  return std::fpclassify(rounded) == FP_SUBNORMAL ? 0.0F : rounded;
}

}  // namespace lipserve::trainer
