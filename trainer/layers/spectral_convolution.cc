// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/spectral_convolution.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>

#include "trainer/constraints/newton_retraction.h"
#include "trainer/constraints/polar_factor.h"

namespace lipserve::trainer {
namespace {

// to = factor * from.
void CopyScaled(ConstMatrixView from, float factor, MatrixView to) {
  for (std::size_t i = 0; i < from.size(); ++i) to.data[i] = factor * from.data[i];
}

}  // namespace

SpectralConvolution::SpectralConvolution(const ConvolutionLayer& geometry, bool use_bias,
                                         const BjorckMapOptions& options, std::mt19937_64& random)
    : Convolution(geometry, use_bias, RandomKernels(geometry, random)) {
  for (float& value : parameters_[0].values) value *= options.initial_scale;
  State u{"u", {}};
  for (std::size_t g = 0; g < geometry.groups; ++g) {
    maps_.emplace_back(rows(), cols(), options);
    const std::vector<float> start = maps_.back().InitialVector(random);
    u.values.insert(u.values.end(), start.begin(), start.end());
  }
  states_.push_back(std::move(u));
}

void SpectralConvolution::PrepareStep(bool training) {
  std::vector<float>& state = states_[0].values;
  if (!training) evaluation_u_ = state;
  const std::span<float> u(training ? state : evaluation_u_);
  for (std::size_t g = 0; g < maps_.size(); ++g) {
    const std::size_t side = maps_[g].side();
    maps_[g].Forward(kernel(g), u.subspan(g * side, side), weights(g));
    CopyScaled(weights(g), static_cast<float>(safe_norm()), weights(g));
  }
}

void SpectralConvolution::FinishStep() {
  for (std::size_t g = 0; g < maps_.size(); ++g) {
    CopyScaled(weights_gradient(g), static_cast<float>(safe_norm()), weights_gradient(g));
    maps_[g].Backward(kernel(g), weights_gradient(g), kernel_gradient(g));
  }
}

FrozenLayer SpectralConvolution::Freeze() const {
  std::vector<double> frozen;
  for (std::size_t g = 0; g < maps_.size(); ++g) {
    for (const double value : PolarFactor(kernel(g))) frozen.push_back(safe_norm() * value);
  }
  return FreezeWith(frozen);
}

OrthogonalConvolution::OrthogonalConvolution(const ConvolutionLayer& geometry, bool use_bias,
                                             std::mt19937_64& random)
    : Convolution(geometry, use_bias, RandomKernels(geometry, random)) {
  assert(geometry.groups == 1);
  parameters_[0].orthogonal_rows = rows();
}

void OrthogonalConvolution::PrepareStep(bool training) {
  const MatrixView w = weights(0);
  CopyScaled(kernel(0), 1.0F, w);
  if (!training) {
    for (int i = 0; i < kEvaluationRetractions; ++i) NewtonRetraction(w, gram_, product_);
  }
  CopyScaled(w, static_cast<float>(safe_norm()), w);
}

void OrthogonalConvolution::FinishStep() {
  CopyScaled(weights_gradient(0), static_cast<float>(safe_norm()), kernel_gradient(0));
}

FrozenLayer OrthogonalConvolution::Freeze() const {
  std::vector<double> frozen = PolarFactor(kernel(0));
  for (double& value : frozen) value *= safe_norm();
  return FreezeWith(frozen);
}

}  // namespace lipserve::trainer
