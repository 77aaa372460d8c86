// SPDX-License-Identifier: Apache-2.0
#include "model/execution/onednn_forward.h"

#include <cassert>
#include <dnnl.hpp>
#include <utility>

#include "model/execution/onednn_engine.h"

namespace lipserve::onednn {

class PackedLayer : public ReorderedWeights {
 public:
  using ReorderedWeights::ReorderedWeights;
  virtual ~PackedLayer() = default;
  PackedLayer(const PackedLayer&) = delete;
  PackedLayer& operator=(const PackedLayer&) = delete;

  virtual FrozenPrimitive PrimitiveFor(std::size_t batch_size) = 0;
};

namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;

Desc Image(std::size_t batch_size, const SampleShape& shape) {
  return {
      {Dim(batch_size), Dim(shape.channels), Dim(shape.height), Dim(shape.width)}, kF32, Tag::nhwc};
}

// The weights as the frozen network holds them.
Desc PlainWeights(const ConvolutionLayer& layer) {
  const auto outputs = Dim(layer.output_channels);
  const auto inputs = Dim(layer.input.channels);
  const auto groups = Dim(layer.groups);
  const auto height = Dim(layer.vertical.size);
  const auto width = Dim(layer.horizontal.size);
  if (groups == 1) return {{outputs, inputs, height, width}, kF32, Tag::oihw};
  return {{groups, outputs / groups, inputs / groups, height, width}, kF32, Tag::goihw};
}

Dims Pair(std::size_t vertical, std::size_t horizontal) { return {Dim(vertical), Dim(horizontal)}; }

// Whether an implementation computes anything but sums of the products that define the layer.
bool IsForbidden(const char* implementation) {
  return std::string(implementation).find("wino") != std::string::npos;
}

// Bytes of weights that are not held in a layout of more than twice as many: blocked layouts pad a
// few outputs to many.
constexpr std::size_t kLargeWeights = std::size_t{1} << 22U;

class PackedDense final : public PackedLayer {
 public:
  using PackedLayer::PackedLayer;

  FrozenPrimitive PrimitiveFor(std::size_t batch_size) override {
    const dnnl::memory::dim outputs = plain().dims()[0];
    const dnnl::memory::dim inputs = plain().dims()[1];
    const Desc x({Dim(batch_size), inputs}, kF32, Tag::ab);
    const Desc w(plain().dims(), kF32, Tag::any);
    const Desc b({outputs}, kF32, Tag::a);
    const Desc y({Dim(batch_size), outputs}, kF32, Tag::ab);
    using Inner = dnnl::inner_product_forward;
    const auto kind = dnnl::prop_kind::forward_inference;
    const auto found = [&](const Desc& weights) {
      const Inner::desc desc =
          has_bias() ? Inner::desc(kind, x, weights, b, y) : Inner::desc(kind, x, weights, y);
      return Inner::primitive_desc(desc, StrictAttributes(), CpuEngine());
    };
    const Inner::primitive_desc usual = found(w);
    const std::size_t plain_bytes = plain().get_size();
    const bool wastes_memory =
        plain_bytes > kLargeWeights && usual.weights_desc().get_size() > 2 * plain_bytes;
    return {wastes_memory ? found(plain()) : usual, *this};
  }
};

class PackedConvolution final : public PackedLayer {
 public:
  explicit PackedConvolution(const ConvolutionLayer& layer)
      : PackedLayer(layer.weights, layer.bias, PlainWeights(layer)),
        input_(layer.input),
        output_(layer.output()),
        vertical_(layer.vertical),
        horizontal_(layer.horizontal) {}

  FrozenPrimitive PrimitiveFor(std::size_t batch_size) override;

 private:
  SampleShape input_;
  SampleShape output_;
  WindowAxis vertical_;
  WindowAxis horizontal_;
};

FrozenPrimitive PackedConvolution::PrimitiveFor(std::size_t batch_size) {
  using Convolution = dnnl::convolution_forward;
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const Desc x = Image(batch_size, input_);
  const Desc y = Image(batch_size, output_);
  const Desc w(plain().dims(), kF32, Tag::any);
  const Desc b({Dim(output_.channels)}, kF32, Tag::a);
  const Dims strides = Pair(vertical_.stride, horizontal_.stride);
  // oneDNN counts the positions between taps.
  const Dims dilations = Pair(vertical_.dilation - 1, horizontal_.dilation - 1);
  const Dims before = Pair(vertical_.padding_before, horizontal_.padding_before);
  const Dims after = Pair(vertical_.padding_after, horizontal_.padding_after);
  const Convolution::desc desc =
      has_bias() ? Convolution::desc(kind, algorithm, x, w, b, y, strides, dilations, before, after)
                 : Convolution::desc(kind, algorithm, x, w, y, strides, dilations, before, after);
  Convolution::primitive_desc found(desc, StrictAttributes(), CpuEngine());
  // The last in oneDNN's list is its reference implementation, which supports everything.
  while (IsForbidden(found.impl_info_str())) {
    const bool has_next = found.next_impl();
    assert(has_next);
    static_cast<void>(has_next);
  }
  return {found, *this};
}

}  // namespace

struct FrozenForward::Impl {
  std::shared_ptr<PackedLayer> layer;
  FrozenPrimitive primitive;
};

std::shared_ptr<PackedLayer> PackDense(std::span<const float> weights, std::span<const float> bias,
                                       std::size_t inputs, std::size_t outputs) {
  assert(weights.size() == inputs * outputs);
  assert(bias.empty() || bias.size() == outputs);
  return std::make_shared<PackedDense>(weights, bias,
                                       Desc({Dim(outputs), Dim(inputs)}, kF32, Tag::ab));
}

std::shared_ptr<PackedLayer> PackConvolution(const ConvolutionLayer& layer) {
  assert(layer.padding_mode == PaddingMode::kZero || layer.padded_input() == layer.input);
  return std::make_shared<PackedConvolution>(layer);
}

FrozenForward::FrozenForward(std::shared_ptr<PackedLayer> layer, std::size_t batch_size) {
  FrozenPrimitive primitive = layer->PrimitiveFor(batch_size);
  impl_.reset(new Impl{std::move(layer), std::move(primitive)});
}

FrozenForward::~FrozenForward() = default;
FrozenForward::FrozenForward(FrozenForward&&) noexcept = default;

std::size_t FrozenForward::scratch_bytes() const { return impl_->primitive.scratch_bytes(); }

std::string FrozenForward::implementation() const { return impl_->primitive.implementation(); }

void FrozenForward::Execute(const float* x, float* y, std::byte* scratch) const {
  impl_->primitive.Execute(x, y, scratch);
}

}  // namespace lipserve::onednn
