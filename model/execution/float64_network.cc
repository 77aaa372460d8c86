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

class Float64DenseStep final : public LayerStep<double> {
 public:
  explicit Float64DenseStep(const DenseLayer& layer)
      : dense_(layer.weights, layer.bias, layer.inputs, layer.outputs) {}

  void Run(const double* x, std::size_t rows, double* y, std::byte* /*scratch*/) const override {
    dense_.Run(x, rows, y);
  }

 private:
  DenseFloat64 dense_;
};

class Float64ConvolutionStep final : public LayerStep<double> {
 public:
  explicit Float64ConvolutionStep(const ConvolutionLayer& layer) : convolution_(layer) {}

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
    return std::make_unique<Float64DenseStep>(layer);
  }
  std::unique_ptr<const LayerStep<double>> Convolution(
      const ConvolutionLayer& layer) const override {
    return std::make_unique<Float64ConvolutionStep>(layer);
  }
  std::size_t rows_at_once() const override { return 8; }
};

// As many samples as keep the data between two layers in a core's own cache. In a convolutional
// network, twice as many samples can take three times as long per sample.
std::size_t RowsAtOnce(const StepSequence<double>& steps, std::size_t max_batch) {
  constexpr std::size_t kCacheBytes = std::size_t{1} << 19U;
  assert(steps.widest() > 0);  // a shape is never empty
  const std::size_t sample = steps.num_buffers() * steps.widest() * sizeof(double);
  return std::clamp<std::size_t>(kCacheBytes / sample, 1, max_batch);
}

}  // namespace

Float64Network::Float64Network(const FrozenNetwork& network, std::size_t max_batch)
    : input_shape_(network.input_shape),
      num_scores_(NumRows(network)),
      steps_(StepsOf(network, Float64LinearSteps())),
      rows_at_once_(RowsAtOnce(steps_, max_batch)) {}

void Float64Network::Run(ConstMatrixView inputs, Workspace& workspace, std::span<double> scores,
                         std::span<Upper> rounding_input_norms) const {
  assert(inputs.rows >= 1 && scores.size() == inputs.rows * num_scores_);
  assert(rounding_input_norms.size() == num_rounding_layers() * inputs.rows);
  double* x = workspace.inputs.data();
  for (std::size_t first = 0; first < inputs.rows; first += rows_at_once_) {
    const std::size_t rows = std::min(rows_at_once_, inputs.rows - first);
    ToChannelsLast(inputs.row(first).data(), input_shape_, rows, x);
    const double* result =
        steps_.Run(x, rows, rows, workspace, &rounding_input_norms[first], inputs.rows);
    std::copy_n(result, rows * num_scores_, &scores[first * num_scores_]);
  }
}

}  // namespace lipserve
