// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/free_dense.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "trainer/constraints/random_orthogonal.h"

namespace lipserve::trainer {
namespace {

std::vector<float> RandomNormal(std::size_t rows, std::size_t cols, std::mt19937_64& random) {
  const double deviation = 1.0 / std::sqrt(static_cast<double>(cols));
  std::vector<float> values(rows * cols);
  for (float& value : values) value = static_cast<float>(deviation * StandardNormal(random));
  return values;
}

}  // namespace

FreeDense::FreeDense(std::size_t inputs, const FreeDenseOptions& options, std::mt19937_64& random)
    : Dense(inputs, options.units, options.use_bias, RandomNormal(options.units, inputs, random)) {}

void FreeDense::PrepareStep(bool /*training*/) {
  std::copy_n(kernel().data, kernel().size(), weights().data);
}

void FreeDense::FinishStep() {
  std::copy_n(weights_gradient().data, weights_gradient().size(), kernel_gradient().data);
}

FrozenLayer FreeDense::Freeze() const {
  return FreezeWith({kernel().data, kernel().data + kernel().size()});
}

}  // namespace lipserve::trainer
