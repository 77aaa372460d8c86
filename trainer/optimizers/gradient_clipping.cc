// SPDX-License-Identifier: Apache-2.0
#include "trainer/optimizers/gradient_clipping.h"

#include <cmath>
#include <span>

#include "trainer/constraints/inner_product.h"

namespace lipserve::trainer {

double ClipGlobalNorm(const std::vector<Parameter*>& parameters, double max_norm) {
  double square = 0.0;
  for (const Parameter* parameter : parameters) {
    square += static_cast<double>(InnerProduct(parameter->gradient, parameter->gradient));
  }
  const double norm = std::sqrt(square);
  if (norm > max_norm) {
    const float scale = static_cast<float>(max_norm / norm);
    for (Parameter* parameter : parameters) {
      for (float& slope : parameter->gradient) slope *= scale;
    }
  }
  return norm;
}

}  // namespace lipserve::trainer
