// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/convex_potential.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "absl/status/statusor.h"
#include "model/certificate/convolution_norm.h"
#include "model/certificate/operator_norm.h"
#include "model/foundation/overloaded.h"
#include "model/network/adjoint.h"
#include "trainer/constraints/freezing_rounding.h"
#include "trainer/constraints/inner_product.h"
#include "trainer/constraints/random_orthogonal.h"
#include "trainer/layers/convolution.h"
#include "trainer/layers/dense.h"

namespace lipserve::trainer {
namespace {

constexpr std::size_t kPowerIterations = 3;
// Smaller t are constants: a row of zeros gives weights of zeros and a finite gradient.
constexpr float kSmallestT = kSmallestNorm * kSmallestNorm;
// What keeps ||U||_2^2 at most 2 after U has been rounded to float32.
constexpr double kFreezingScale = 1.0 - 0x1p-21;

constexpr std::size_t kKernel = 0;
constexpr std::size_t kLogQ = 1;  // of kSll

using Inner = ConvexPotential::Inner;

std::unique_ptr<LinearMap> MapOf(const Inner& inner) {
  return std::visit([](const auto& layer) { return MakeLinearMap(layer); }, inner);
}

SampleShape ShapeOf(const Inner& inner) {
  return std::visit(
      Overloaded{[](const DenseLayer& dense) {
                   return SampleShape{.channels = dense.inputs, .height = 1, .width = 1};
                 },
                 [](const ConvolutionLayer& convolution) { return convolution.input; }},
      inner);
}

std::size_t NumRows(const Inner& inner) {
  return std::visit(
      Overloaded{[](const DenseLayer& dense) { return dense.outputs; },
                 [](const ConvolutionLayer& convolution) { return convolution.output_channels; }},
      inner);
}

std::size_t GroupsOf(const Inner& inner) {
  const auto* const convolution = std::get_if<ConvolutionLayer>(&inner);
  return convolution == nullptr ? 1 : convolution->groups;
}

std::vector<float> RandomKernel(const Inner& inner, std::mt19937_64& random) {
  return std::visit(Overloaded{[&](const DenseLayer& dense) {
                                 return RandomOrthogonal(dense.outputs, dense.inputs, random);
                               },
                               [&](const ConvolutionLayer& convolution) {
                                 return RandomKernels(convolution, random);
                               }},
                    inner);
}

std::vector<SllScale> SllScalesOf(const Inner& inner) {
  if (const auto* const dense = std::get_if<DenseLayer>(&inner)) {
    return {SllScale(dense->outputs, dense->inputs, WindowAxis(), WindowAxis())};
  }
  const auto& convolution = std::get<ConvolutionLayer>(inner);
  const std::size_t groups = convolution.groups;
  return std::vector<SllScale>(
      groups, SllScale(convolution.output_channels / groups, convolution.input.channels / groups,
                       convolution.vertical, convolution.horizontal));
}

// The norm that the certificate proves of T(kernel).
absl::StatusOr<double> ProvenNorm(Inner inner, const std::vector<float>& kernel) {
  std::vector<float> weights(kernel.size());
  std::transform(kernel.begin(), kernel.end(), weights.begin(),
                 [](float value) { return RoundForFreezing(static_cast<double>(value)); });
  return std::visit(
      Overloaded{[&](DenseLayer& dense) {
                   return BoundOperatorNorm({weights.data(), dense.outputs, dense.inputs});
                 },
                 [&](ConvolutionLayer& convolution) {
                   convolution.weights = std::move(weights);
                   return BoundConvolutionNorm(convolution);
                 }},
      inner);
}

}  // namespace

ConvexPotential::ConvexPotential(Inner inner, bool use_bias, Scaling scaling,
                                 std::mt19937_64& random)
    : inner_(std::move(inner)),
      shape_(ShapeOf(inner_)),
      groups_(GroupsOf(inner_)),
      use_bias_(use_bias),
      scaling_(scaling),
      map_(MapOf(inner_)),
      power_(*map_),
      weights_(map_->weights()),
      scales_(NumRows(inner_)),
      t_(scales_.size()),
      scaled_bias_(scales_.size()),
      weights_gradient_(weights_.size()),
      part_of_gradient_(weights_.size()),
      bias_gradient_(scales_.size()) {
  parameters_.push_back(MakeParameter("kernel", RandomKernel(inner_, random)));
  if (scaling == Scaling::kSll) {
    sll_ = SllScalesOf(inner_);
    parameters_.push_back(MakeParameter("log_q", std::vector<float>(rows())));
  } else {
    states_.push_back({"v", power_.InitialVector(random)});
  }
  if (use_bias) parameters_.push_back(MakeParameter("bias", std::vector<float>(rows())));
}

std::string ConvexPotential::type() const {
  const std::string name = scaling_ == Scaling::kSll ? "SLL" : "CPL";
  return name + (std::holds_alternative<DenseLayer>(inner_) ? "Dense" : "Conv2D");
}

ConstMatrixView ConvexPotential::KernelOf(std::size_t group) const {
  const std::size_t size = rows_of_group() * cols();
  return {parameters_[kKernel].values.data() + group * size, rows_of_group(), cols()};
}

void ConvexPotential::PrepareStep(bool training) {
  if (scaling_ == Scaling::kSll) {
    for (std::size_t g = 0; g < groups_; ++g) {
      sll_[g].Forward(KernelOf(g), RowsOf(std::as_const(parameters_[kLogQ].values), g),
                      RowsOf(t_, g));
    }
  } else {
    std::vector<float> v = states_[0].values;
    sigma_ = power_.Iterate(parameters_[kKernel].values, kPowerIterations, v);
    if (training) states_[0].values = std::move(v);
    std::fill(t_.begin(), t_.end(), sigma_ * sigma_);
  }
  const std::vector<float>& kernel = parameters_[kKernel].values;
  for (std::size_t i = 0; i < rows(); ++i) {
    scales_[i] = std::sqrt(2.0F / std::max(t_[i], kSmallestT));
    if (use_bias_) scaled_bias_[i] = scales_[i] * parameters_.back().values[i];
    for (std::size_t k = i * cols(); k < (i + 1) * cols(); ++k) {
      weights_[k] = scales_[i] * kernel[k];
    }
  }
}

void ConvexPotential::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == map_->inputs() && y.cols == x.cols && x.rows == y.rows);
  hidden_.resize(x.rows * map_->outputs());
  map_->Forward(x.rows, x.data, weights_.data(), use_bias_ ? scaled_bias_.data() : nullptr,
                hidden_.data());
  for (float& value : hidden_) value = std::max(value, 0.0F);
  map_->BackwardData(x.rows, hidden_.data(), weights_.data(), y.data);
  for (std::size_t k = 0; k < x.size(); ++k) y.data[k] = x.data[k] - y.data[k];
}

void ConvexPotential::Backward(ConstMatrixView x, ConstMatrixView /*y*/, ConstMatrixView dy,
                               MatrixView dx) {
  hidden_gradient_.resize(hidden_.size());
  map_->Forward(x.rows, dy.data, weights_.data(), nullptr, hidden_gradient_.data());
  for (std::size_t k = 0; k < hidden_.size(); ++k) {
    hidden_gradient_[k] = hidden_[k] > 0.0F ? hidden_gradient_[k] : 0.0F;
  }
  map_->BackwardWeights(x.rows, x.data, hidden_gradient_.data(), weights_gradient_.data(),
                        use_bias_ ? bias_gradient_.data() : nullptr);
  map_->BackwardWeights(x.rows, dy.data, hidden_.data(), part_of_gradient_.data(), nullptr);
  for (std::size_t k = 0; k < weights_.size(); ++k) weights_gradient_[k] += part_of_gradient_[k];
  if (dx.data == nullptr) return;
  map_->BackwardData(x.rows, hidden_gradient_.data(), weights_.data(), dx.data);
  for (std::size_t k = 0; k < x.size(); ++k) dx.data[k] = dy.data[k] - dx.data[k];
}

void ConvexPotential::FinishStep() {
  std::vector<float> t_gradient(rows());
  const std::span<const float> kernel(parameters_[kKernel].values);
  std::vector<float>& kernel_gradient = parameters_[kKernel].gradient;
  for (std::size_t i = 0; i < rows(); ++i) {
    const std::span<const float> gradient(&weights_gradient_[i * cols()], cols());
    float scale_gradient = -InnerProduct(gradient, kernel.subspan(i * cols(), cols()));
    if (use_bias_) {
      Parameter& bias = parameters_.back();
      scale_gradient -= bias.values[i] * bias_gradient_[i];
      bias.gradient[i] = -scales_[i] * bias_gradient_[i];
    }
    // At the smallest t the scale is a constant, which has no gradient.
    if (t_[i] > kSmallestT) t_gradient[i] = -0.5F * scales_[i] / t_[i] * scale_gradient;
    for (std::size_t k = 0; k < cols(); ++k) {
      kernel_gradient[i * cols() + k] = -scales_[i] * gradient[k];
    }
  }
  if (scaling_ == Scaling::kCpl) {
    float sum = 0.0F;
    for (const float gradient : t_gradient) sum += gradient;
    power_.AddGradient(2.0F * sum * sigma_, kernel_gradient);
    return;
  }
  Parameter& log_q = parameters_[kLogQ];
  for (std::size_t g = 0; g < groups_; ++g) {
    const std::size_t first = g * rows_of_group() * cols();
    sll_[g].Backward(KernelOf(g), RowsOf(std::as_const(log_q.values), g),
                     RowsOf(std::as_const(t_), g), RowsOf(std::as_const(t_gradient), g),
                     {kernel_gradient.data() + first, rows_of_group(), cols()},
                     RowsOf(log_q.gradient, g));
  }
}

std::vector<double> ConvexPotential::FrozenScales() const {
  std::vector<double> t;
  if (scaling_ == Scaling::kSll) {
    for (std::size_t g = 0; g < groups_; ++g) {
      const std::vector<double> of_group =
          sll_[g].Freeze(KernelOf(g), RowsOf(parameters_[kLogQ].values, g));
      t.insert(t.end(), of_group.begin(), of_group.end());
    }
    return t;
  }
  // A norm that cannot be proven stays a claim that is refused later, with the reason.
  const double norm =
      ProvenNorm(inner_, parameters_[kKernel].values).value_or(static_cast<double>(sigma_));
  return std::vector<double>(rows(), norm * norm);
}

FrozenLayer ConvexPotential::Freeze() const {
  const std::vector<double> t = FrozenScales();
  std::vector<float> weights;
  std::vector<float> bias;
  for (std::size_t i = 0; i < rows(); ++i) {
    const double scale =
        kFreezingScale * std::sqrt(2.0 / std::max(t[i], static_cast<double>(kSmallestT)));
    if (use_bias_) {
      bias.push_back(RoundForFreezing(scale * static_cast<double>(parameters_.back().values[i])));
    }
    for (std::size_t k = i * cols(); k < (i + 1) * cols(); ++k) {
      weights.push_back(
          RoundForFreezing(scale * static_cast<double>(parameters_[kKernel].values[k])));
    }
  }
  ConvexPotentialLayer frozen{inner_};
  std::visit(
      [&](auto& layer) {
        layer.weights = std::move(weights);
        layer.bias = std::move(bias);
      },
      frozen.inner);
  return frozen;
}

// Both products are of the map's outputs; a power iteration is a batch of one sample.
std::size_t ConvexPotential::BatchBytes(std::size_t batch) {
  return 2 * batch * map_->outputs() * sizeof(float) + map_->BatchBytes(batch);
}

}  // namespace lipserve::trainer
