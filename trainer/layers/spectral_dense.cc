// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/spectral_dense.h"

#include "trainer/constraints/polar_factor.h"
#include "trainer/constraints/random_orthogonal.h"

namespace lipserve::trainer {

SpectralDense::SpectralDense(std::size_t inputs, const SpectralDenseOptions& options,
                             std::mt19937_64& random)
    : Dense(inputs, options.units, options.use_bias,
            RandomOrthogonal(options.units, inputs, random)),
      map_(options.units, inputs, options.map) {
  for (float& value : parameters_[0].values) value *= options.map.initial_scale;
  states_.push_back({"u", map_.InitialVector(random)});
}

void SpectralDense::PrepareStep(bool training) {
  std::vector<float>& state = states_[0].values;
  if (!training) evaluation_u_ = state;
  map_.Forward(kernel(), training ? state : evaluation_u_, weights());
}

void SpectralDense::FinishStep() { map_.Backward(kernel(), weights_gradient(), kernel_gradient()); }

FrozenLayer SpectralDense::Freeze() const { return FreezeWith(PolarFactor(kernel())); }

}  // namespace lipserve::trainer
