// SPDX-License-Identifier: Apache-2.0
#include "model/execution/float64_network.h"

#include <algorithm>
#include <cassert>
#include <memory>
#include <vector>

#include "model/execution/convolution_float64.h"
#include "model/execution/dense_float64.h"
#include "model/execution/image_layout.h"
#include "model/execution/network_steps.h"

namespace lipserve {
namespace {

class DenseStep final : public LayerStep<double> {
 public:
  explicit DenseStep(const DenseLayer& layer)
      : dense_(layer.weights, layer.bias, layer.inputs, layer.outputs) {}

  void Run(const double* x, std::size_t rows, double* y, std::byte* /*scratch*/) const override {
    dense_.Run(x, rows, y);
  }

 private:
  DenseFloat64 dense_;
};

class ConvolutionStep final : public LayerStep<double> {
 public:
  explicit ConvolutionStep(const ConvolutionLayer& layer) : convolution_(layer) {}

  void Run(const double* x, std::size_t rows, double* y, std::byte* scratch) const override {
    convolution_.Run(x, rows, y, reinterpret_cast<double*>(scratch));
  }
  std::size_t scratch_bytes() const override {
    return convolution_.scratch_size() * sizeof(double);
  }

 private:
  ConvolutionFloat64 convolution_;
};

class Float64LinearSteps final : public LinearSteps<double> {
 public:
  std::unique_ptr<const LayerStep<double>> Dense(const DenseLayer& layer) const override {
    return std::make_unique<DenseStep>(layer);
  }
  std::unique_ptr<const LayerStep<double>> Convolution(
      const ConvolutionLayer& layer) const override {
    return std::make_unique<ConvolutionStep>(layer);
  }
};

}  // namespace

Float64Network::Float64Network(const FrozenNetwork& network, std::size_t max_batch)
    : max_batch_(max_batch),
      input_shape_(network.input_shape),
      steps_(StepsOf(network, Float64LinearSteps())) {}

void Float64Network::Run(ConstMatrixView inputs, Workspace& workspace, std::span<double> scores,
                         std::span<Upper> rounding_input_norms) const {
  assert(inputs.rows >= 1 && inputs.rows <= max_batch_);
  double* x = workspace.inputs.data();
  ToChannelsLast(inputs.data, input_shape_, inputs.rows, x);
  const double* result = steps_.Run(x, inputs.rows, inputs.rows, workspace, rounding_input_norms);
  std::copy_n(result, scores.size(), scores.data());
}

}  // namespace lipserve
