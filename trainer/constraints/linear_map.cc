// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/linear_map.h"

#include <algorithm>
#include <vector>

#include "model/execution/image_padding.h"
#include "model/execution/onednn.h"
#include "model/execution/onednn_training.h"
#include "model/network/matrix_view.h"

namespace lipserve::trainer {
namespace {

using onednn::Gemm;
using onednn::Op;

class DenseMap final : public LinearMap {
 public:
  explicit DenseMap(const DenseLayer& layer) : inputs_(layer.inputs), outputs_(layer.outputs) {}

  std::size_t inputs() const override { return inputs_; }
  std::size_t outputs() const override { return outputs_; }
  std::size_t weights() const override { return inputs_ * outputs_; }
  std::size_t input_channels() const override { return inputs_; }
  std::size_t output_channels() const override { return outputs_; }
  std::size_t groups() const override { return 1; }

  void Forward(std::size_t batch, const float* x, const float* w, const float* b,
               float* y) override {
    for (std::size_t r = 0; b != nullptr && r < batch; ++r) {
      std::copy_n(b, outputs_, y + r * outputs_);
    }
    Gemm(Op::kNone, Op::kTranspose, 1.0F, {x, batch, inputs_}, {w, outputs_, inputs_},
         b == nullptr ? 0.0F : 1.0F, {y, batch, outputs_});
  }

  void BackwardData(std::size_t batch, const float* dy, const float* w, float* dx) override {
    Gemm(Op::kNone, Op::kNone, 1.0F, {dy, batch, outputs_}, {w, outputs_, inputs_}, 0.0F,
         {dx, batch, inputs_});
  }

  void BackwardWeights(std::size_t batch, const float* x, const float* dy, float* dw,
                       float* db) override {
    Gemm(Op::kTranspose, Op::kNone, 1.0F, {dy, batch, outputs_}, {x, batch, inputs_}, 0.0F,
         {dw, outputs_, inputs_});
    if (db == nullptr) return;
    std::fill_n(db, outputs_, 0.0F);
    for (std::size_t r = 0; r < batch; ++r) {
      for (std::size_t o = 0; o < outputs_; ++o) db[o] += dy[r * outputs_ + o];
    }
  }

  std::size_t BatchBytes(std::size_t /*batch*/) override { return 0; }

 private:
  std::size_t inputs_;
  std::size_t outputs_;
};

// oneDNN pads with zeros itself; other paddings are written out.
class ConvolutionMap final : public LinearMap {
 public:
  explicit ConvolutionMap(const ConvolutionLayer& layer)
      : inputs_(layer.input.size()),
        outputs_(layer.output().size()),
        weights_(layer.output_channels * layer.fan_in()),
        input_channels_(layer.input.channels),
        output_channels_(layer.output_channels),
        groups_(layer.groups),
        padding_(layer),
        pads_(layer.padding_mode != PaddingMode::kZero && !padding_.is_empty()),
        convolution_(pads_ ? WithoutPadding(layer) : layer) {}

  std::size_t inputs() const override { return inputs_; }
  std::size_t outputs() const override { return outputs_; }
  std::size_t weights() const override { return weights_; }
  std::size_t input_channels() const override { return input_channels_; }
  std::size_t output_channels() const override { return output_channels_; }
  std::size_t groups() const override { return groups_; }

  void Forward(std::size_t batch, const float* x, const float* w, const float* b,
               float* y) override {
    convolution_.Forward(batch, Padded(batch, x), w, b, y);
  }

  void BackwardData(std::size_t batch, const float* dy, const float* w, float* dx) override {
    if (!pads_) return convolution_.BackwardData(batch, dy, w, dx);
    const std::size_t padded_size = padding_.padded_shape().size();
    padded_.resize(std::max(padded_.size(), batch * padded_size));
    convolution_.BackwardData(batch, dy, w, padded_.data());
    std::fill_n(dx, batch * inputs_, 0.0F);
    for (std::size_t n = 0; n < batch; ++n) {
      padding_.AddTransposed(padded_.data() + n * padded_size, dx + n * inputs_);
    }
  }

  void BackwardWeights(std::size_t batch, const float* x, const float* dy, float* dw,
                       float* db) override {
    convolution_.BackwardWeights(batch, Padded(batch, x), dy, dw, db);
  }

  std::size_t BatchBytes(std::size_t batch) override {
    const std::size_t padded = pads_ ? batch * padding_.padded_shape().size() : 0;
    return padded * sizeof(float) + convolution_.working_bytes(batch);
  }

 private:
  const float* Padded(std::size_t batch, const float* x) {
    if (!pads_) return x;
    const std::size_t padded_size = padding_.padded_shape().size();
    padded_.resize(std::max(padded_.size(), batch * padded_size));
    for (std::size_t n = 0; n < batch; ++n) {
      padding_.Copy(x + n * inputs_, padded_.data() + n * padded_size);
    }
    return padded_.data();
  }

  std::size_t inputs_;
  std::size_t outputs_;
  std::size_t weights_;
  std::size_t input_channels_;
  std::size_t output_channels_;
  std::size_t groups_;
  ImagePadding padding_;
  bool pads_;
  onednn::TrainableConvolution convolution_;
  std::vector<float> padded_;
};

}  // namespace

std::unique_ptr<LinearMap> MakeLinearMap(const DenseLayer& layer) {
  return std::make_unique<DenseMap>(layer);
}

std::unique_ptr<LinearMap> MakeLinearMap(const ConvolutionLayer& layer) {
  return std::make_unique<ConvolutionMap>(layer);
}

}  // namespace lipserve::trainer
