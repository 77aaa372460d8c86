// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/linear_residual.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "model/certificate/convolution_norm.h"
#include "model/certificate/operator_norm.h"
#include "trainer/constraints/freezing_rounding.h"
#include "trainer/constraints/inner_product.h"
#include "trainer/constraints/random_orthogonal.h"

namespace lipserve::trainer {

std::size_t IdentityTap(const WindowAxis& axis) {
  return axis.padding_before % axis.dilation == 0 ? axis.padding_before / axis.dilation : axis.size;
}

namespace {

std::vector<std::size_t> IdentityOfDense(std::size_t inputs) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < inputs; ++i) places.push_back(i * inputs + i);
  return places;
}

std::vector<std::size_t> IdentityOf(const ConvolutionLayer& layer) {
  const std::size_t channels = layer.input.channels / layer.groups;
  const std::size_t taps = layer.vertical.size * layer.horizontal.size;
  const std::size_t tap =
      IdentityTap(layer.vertical) * layer.horizontal.size + IdentityTap(layer.horizontal);
  std::vector<std::size_t> places;
  for (std::size_t o = 0; o < layer.output_channels; ++o) {
    places.push_back((o * channels + o % channels) * taps + tap);
  }
  return places;
}

std::vector<float> NormalNumbers(std::size_t count, std::size_t fan_in, std::mt19937_64& random) {
  std::vector<float> numbers(count);
  for (float& number : numbers) {
    number = static_cast<float>(StandardNormal(random) / static_cast<double>(fan_in));
  }
  return numbers;
}

// M over `norm`, in float64.
std::vector<double> Quotient(const std::vector<float>& sum, double norm) {
  std::vector<double> quotient;
  quotient.reserve(sum.size());
  for (const float value : sum) quotient.push_back(static_cast<double>(value) / norm);
  return quotient;
}

std::vector<float> WithoutSubnormals(std::vector<float> values) {
  for (float& value : values) value = RoundForFreezing(static_cast<double>(value));
  return values;
}

// A norm that cannot be proven stays an estimate: the model is refused later, with the reason.
double NormOr(const absl::StatusOr<double>& proven, float estimate) {
  return std::max(proven.value_or(static_cast<double>(estimate)),
                  static_cast<double>(kSmallestNorm));
}

}  // namespace

bool CanAddIdentity(const ConvolutionLayer& geometry) {
  return geometry.output() == geometry.input && geometry.vertical.stride == 1 &&
         geometry.horizontal.stride == 1 &&
         IdentityTap(geometry.vertical) < geometry.vertical.size &&
         IdentityTap(geometry.horizontal) < geometry.horizontal.size;
}

ResidualQuotient::ResidualQuotient(LinearMap& map, std::vector<std::size_t> identity,
                                   const LinearResidualOptions& options)
    : identity_(std::move(identity)), options_(options), power_(map) {}

std::vector<float> ResidualQuotient::Sum(std::span<const float> kernel) const {
  std::vector<float> sum(kernel.begin(), kernel.end());
  for (float& value : sum) value *= options_.scale;
  for (const std::size_t place : identity_) sum[place] += 1.0F;
  return sum;
}

void ResidualQuotient::Forward(std::span<const float> kernel, std::vector<float>& v,
                               std::span<float> weights) {
  const std::vector<float> sum = Sum(kernel);
  const float sigma = power_.Iterate(sum, options_.power_iterations, v);
  is_constant_ = sigma < kSmallestNorm;
  sigma_ = std::max(sigma, kSmallestNorm);
  std::transform(sum.begin(), sum.end(), weights.begin(),
                 [this](float value) { return value / sigma_; });
}

void ResidualQuotient::Backward(std::span<const float> weights,
                                std::span<const float> weights_gradient,
                                std::span<float> kernel_gradient) {
  std::copy(weights_gradient.begin(), weights_gradient.end(), kernel_gradient.begin());
  // <dW, M> / sigma = <dW, W>
  if (!is_constant_) {
    power_.AddGradient(-InnerProduct(weights_gradient, weights), kernel_gradient);
  }
  for (float& gradient : kernel_gradient) gradient *= options_.scale / sigma_;
}

LinearResidualDense::LinearResidualDense(std::size_t inputs, bool use_bias,
                                         const LinearResidualOptions& options,
                                         std::mt19937_64& random)
    : Dense(inputs, inputs, use_bias, NormalNumbers(inputs * inputs, inputs, random)),
      quotient_(map(), IdentityOfDense(inputs), options) {
  states_.push_back({"v", quotient_.InitialVector(random)});
}

void LinearResidualDense::PrepareStep(bool training) {
  std::vector<float> v = states_[0].values;
  quotient_.Forward(parameters_[0].values, v, {weights().data, weights().size()});
  if (training) states_[0].values = std::move(v);
}

void LinearResidualDense::FinishStep() {
  quotient_.Backward({weights().data, weights().size()},
                     {weights_gradient().data, weights_gradient().size()}, parameters_[0].gradient);
}

FrozenLayer LinearResidualDense::Freeze() const {
  const std::vector<float> sum = WithoutSubnormals(quotient_.Sum(parameters_[0].values));
  const double norm =
      NormOr(BoundOperatorNorm({sum.data(), inputs(), inputs()}), quotient_.sigma());
  return FreezeWith(Quotient(sum, norm));
}

LinearResidualConvolution::LinearResidualConvolution(const ConvolutionLayer& geometry,
                                                     bool use_bias,
                                                     const LinearResidualOptions& options,
                                                     std::mt19937_64& random)
    : Convolution(
          geometry, use_bias,
          NormalNumbers(geometry.output_channels * geometry.fan_in(), geometry.fan_in(), random)),
      quotient_(map(), IdentityOf(geometry), options) {
  assert(CanAddIdentity(geometry));
  states_.push_back({"v", quotient_.InitialVector(random)});
}

void LinearResidualConvolution::PrepareStep(bool training) {
  std::vector<float> v = states_[0].values;
  quotient_.Forward(parameters_[0].values, v, all_weights());
  if (training) states_[0].values = std::move(v);
}

void LinearResidualConvolution::FinishStep() {
  quotient_.Backward(effective_weights(), all_weights_gradient(), parameters_[0].gradient);
}

FrozenLayer LinearResidualConvolution::Freeze() const {
  ConvolutionLayer layer = geometry();
  layer.weights = WithoutSubnormals(quotient_.Sum(parameters_[0].values));
  const double norm = NormOr(BoundConvolutionNorm(layer), quotient_.sigma());
  return FreezeWith(Quotient(layer.weights, norm));
}

}  // namespace lipserve::trainer
