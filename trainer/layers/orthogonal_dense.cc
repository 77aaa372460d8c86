// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/orthogonal_dense.h"

#include <algorithm>

#include "trainer/constraints/newton_retraction.h"
#include "trainer/constraints/polar_factor.h"
#include "trainer/constraints/random_orthogonal.h"

namespace lipserve::trainer {

OrthogonalDense::OrthogonalDense(std::size_t inputs, const OrthogonalDenseOptions& options,
                                 std::mt19937_64& random)
    : Dense(inputs, options.units, options.use_bias,
            RandomOrthogonal(options.units, inputs, random)) {
  parameters_[0].orthogonal_rows = options.units;
}

void OrthogonalDense::PrepareStep(bool training) {
  std::copy_n(kernel().data, kernel().size(), weights().data);
  if (training) return;
  for (int i = 0; i < kEvaluationRetractions; ++i) NewtonRetraction(weights(), gram_, product_);
}

void OrthogonalDense::FinishStep() {
  std::copy_n(weights_gradient().data, weights_gradient().size(), kernel_gradient().data);
}

FrozenLayer OrthogonalDense::Freeze() const { return FreezeWith(PolarFactor(kernel())); }

}  // namespace lipserve::trainer
