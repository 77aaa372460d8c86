// SPDX-License-Identifier: Apache-2.0
#include "model/execution/inference_graph.h"

#include <algorithm>
#include <cassert>
#include <memory>
#include <utility>

#include "model/arithmetic/flush_to_zero.h"
#include "model/execution/image_layout.h"
#include "model/execution/image_padding.h"
#include "model/execution/network_steps.h"
#include "model/execution/onednn_forward.h"

namespace lipserve {
namespace {

// 1, 2, 3, 4, 6, 8, 12, 16, ...: padding to the next one costs at most half a batch.
std::vector<std::size_t> ChooseBatchSizes(std::size_t max_batch) {
  assert(max_batch >= 1);
  std::vector<std::size_t> sizes;
  for (std::size_t power = 1; power < max_batch; power *= 2) {
    sizes.push_back(power);
    if (power >= 2 && power + power / 2 < max_batch) sizes.push_back(power + power / 2);
  }
  sizes.push_back(max_batch);
  return sizes;
}

// A layer that oneDNN computes: a primitive per batch size, with one copy of the weights.
class OneDnnStep final : public LayerStep<float> {
 public:
  OneDnnStep(const std::shared_ptr<onednn::PackedLayer>& layer,
             std::span<const std::size_t> batch_sizes) {
    for (const std::size_t batch_size : batch_sizes) {
      primitives_.emplace_back(batch_size, onednn::FrozenForward(layer, batch_size));
      scratch_bytes_ = std::max(scratch_bytes_, primitives_.back().second.scratch_bytes());
    }
  }

  // Requires: `rows` is one of the batch sizes.
  void Run(const float* x, std::size_t rows, float* y, std::byte* scratch) const override {
    const auto found = std::find_if(primitives_.begin(), primitives_.end(),
                                    [&](const auto& entry) { return entry.first == rows; });
    assert(found != primitives_.end());
    const ScopedFlushToZero subnormal_numbers_are_slow;
    found->second.Execute(x, y, scratch);
  }
  std::size_t scratch_bytes() const override { return scratch_bytes_; }

 private:
  std::vector<std::pair<std::size_t, onednn::FrozenForward>> primitives_;
  std::size_t scratch_bytes_ = 0;
};

// oneDNN does not have this padding, so the padded image is written out.
class PaddedConvolutionStep final : public LayerStep<float> {
 public:
  PaddedConvolutionStep(const ConvolutionLayer& layer, std::span<const std::size_t> batch_sizes)
      : input_size_(layer.input.size()),
        padding_(layer),
        convolution_(onednn::PackConvolution(WithoutPadding(layer)), batch_sizes),
        padded_bytes_(AlignUp(batch_sizes.back() * PaddedSize() * sizeof(float))) {}

  void Run(const float* x, std::size_t rows, float* y, std::byte* scratch) const override {
    auto* padded = reinterpret_cast<float*>(scratch);
    for (std::size_t r = 0; r < rows; ++r) {
      padding_.Copy(x + r * input_size_, padded + r * PaddedSize());
    }
    convolution_.Run(padded, rows, y, scratch + padded_bytes_);
  }
  std::size_t scratch_bytes() const override {
    return padded_bytes_ + convolution_.scratch_bytes();
  }

 private:
  static std::size_t AlignUp(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  std::size_t PaddedSize() const { return padding_.padded_shape().size(); }

  std::size_t input_size_;
  ImagePadding padding_;
  OneDnnStep convolution_;
  std::size_t padded_bytes_;
};

class OneDnnSteps final : public LinearSteps<float> {
 public:
  explicit OneDnnSteps(std::span<const std::size_t> batch_sizes) : batch_sizes_(batch_sizes) {}

  std::unique_ptr<const LayerStep<float>> Dense(const DenseLayer& layer) const override {
    return std::make_unique<OneDnnStep>(
        onednn::PackDense(layer.weights, layer.bias, layer.inputs, layer.outputs), batch_sizes_);
  }
  std::unique_ptr<const LayerStep<float>> Convolution(
      const ConvolutionLayer& layer) const override {
    // oneDNN pads with zeros itself.
    if (layer.padding_mode == PaddingMode::kZero || layer.padded_input() == layer.input) {
      return std::make_unique<OneDnnStep>(onednn::PackConvolution(layer), batch_sizes_);
    }
    return std::make_unique<PaddedConvolutionStep>(layer, batch_sizes_);
  }
  // There is a primitive for each of the batch sizes and for no other number of rows.
  std::size_t rows_at_once() const override { return batch_sizes_.back(); }

 private:
  std::span<const std::size_t> batch_sizes_;
};

}  // namespace

InferenceGraph::InferenceGraph(const FrozenNetwork& network, std::size_t max_batch)
    : batch_sizes_(ChooseBatchSizes(max_batch)),
      input_shape_(network.input_shape),
      steps_(StepsOf(network, OneDnnSteps(batch_sizes_))) {}

void InferenceGraph::Run(ConstMatrixView inputs, Workspace& workspace, MatrixView scores,
                         std::span<Upper> rounding_input_norms) const {
  const std::size_t rows = inputs.rows;
  assert(rows >= 1 && rows <= max_batch() && scores.rows == rows);
  assert(rounding_input_norms.size() == num_rounding_layers() * rows);
  const std::size_t batch = *std::lower_bound(batch_sizes_.begin(), batch_sizes_.end(), rows);
  const float* x = inputs.data;
  if (batch != rows || !HasOneLayout(input_shape_)) {
    x = workspace.inputs.data();
    ToChannelsLast(inputs.data, input_shape_, rows, workspace.inputs.data());
    std::fill_n(workspace.inputs.data() + inputs.size(), (batch - rows) * inputs.cols, 0.0F);
  }
  const float* result = steps_.Run(x, rows, batch, workspace, rounding_input_norms.data(), rows);
  std::copy_n(result, scores.size(), scores.data);
}

}  // namespace lipserve
