// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/aol.h"

#include <cassert>

#include "trainer/constraints/random_orthogonal.h"

namespace lipserve::trainer {

AolDense::AolDense(std::size_t inputs, std::size_t units, bool use_bias, std::mt19937_64& random)
    : Dense(inputs, units, use_bias, RandomOrthogonal(units, inputs, random)),
      map_(units, inputs, WindowAxis(), WindowAxis()) {}

void AolDense::PrepareStep(bool /*training*/) { map_.Forward(kernel(), weights()); }

void AolDense::FinishStep() { map_.Backward(kernel(), weights_gradient(), kernel_gradient()); }

FrozenLayer AolDense::Freeze() const { return FreezeWith(map_.Freeze(kernel())); }

namespace {

// The axis whose phases are those of the taps that read one position. On a circle that the stride
// does not divide, positions are read in several phases: the bound for stride 1 holds.
WindowAxis PhasesOf(WindowAxis axis, PaddingMode mode, std::size_t length) {
  if (mode == PaddingMode::kCircular && length % axis.stride != 0) axis.stride = 1;
  return axis;
}

}  // namespace

AolConvolution::AolConvolution(const ConvolutionLayer& geometry, bool use_bias,
                               std::mt19937_64& random)
    : Convolution(geometry, use_bias, RandomKernels(geometry, random)) {
  assert(IsPartOfPlaneOrTorus(geometry));
  const WindowAxis vertical =
      PhasesOf(geometry.vertical, geometry.padding_mode, geometry.input.height);
  const WindowAxis horizontal =
      PhasesOf(geometry.horizontal, geometry.padding_mode, geometry.input.width);
  for (std::size_t g = 0; g < geometry.groups; ++g) {
    maps_.emplace_back(rows(), geometry.input.channels / geometry.groups, vertical, horizontal);
  }
}

void AolConvolution::PrepareStep(bool /*training*/) {
  for (std::size_t g = 0; g < maps_.size(); ++g) maps_[g].Forward(kernel(g), weights(g));
}

void AolConvolution::FinishStep() {
  for (std::size_t g = 0; g < maps_.size(); ++g) {
    maps_[g].Backward(kernel(g), weights_gradient(g), kernel_gradient(g));
  }
}

FrozenLayer AolConvolution::Freeze() const {
  std::vector<double> frozen;
  for (std::size_t g = 0; g < maps_.size(); ++g) {
    const std::vector<double> weights = maps_[g].Freeze(kernel(g));
    frozen.insert(frozen.end(), weights.begin(), weights.end());
  }
  return FreezeWith(frozen);
}

}  // namespace lipserve::trainer
