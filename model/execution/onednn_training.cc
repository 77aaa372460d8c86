// SPDX-License-Identifier: Apache-2.0
#include "model/execution/onednn_training.h"

#include <algorithm>
#include <dnnl.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/execution/onednn_engine.h"

namespace lipserve::onednn {
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;
using Arguments = std::unordered_map<int, dnnl::memory>;

// The sizes of a convolution, in oneDNN's terms.
struct Geometry {
  Desc plain_weights;  // as the layer holds them
  Desc any_weights;    // as oneDNN likes them
  Desc bias;
  Dims strides;
  Dims dilations;
  Dims before;
  Dims after;
};

Geometry GeometryOf(const ConvolutionLayer& layer) {
  const auto outputs = Dim(layer.output_channels);
  const auto inputs = Dim(layer.input.channels / layer.groups);
  const auto groups = Dim(layer.groups);
  const WindowAxis& rows = layer.vertical;
  const WindowAxis& columns = layer.horizontal;
  const Dims dims = layer.groups == 1
                        ? Dims{outputs, inputs, Dim(rows.size), Dim(columns.size)}
                        : Dims{groups, outputs / groups, inputs, Dim(rows.size), Dim(columns.size)};
  return {.plain_weights = Desc(dims, kF32, layer.groups == 1 ? Tag::oihw : Tag::goihw),
          .any_weights = Desc(dims, kF32, Tag::any),
          .bias = Desc({outputs}, kF32, Tag::a),
          .strides = {Dim(rows.stride), Dim(columns.stride)},
          // oneDNN counts the positions between taps.
          .dilations = {Dim(rows.dilation - 1), Dim(columns.dilation - 1)},
          .before = {Dim(rows.padding_before), Dim(columns.padding_before)},
          .after = {Dim(rows.padding_after), Dim(columns.padding_after)}};
}

Desc Images(std::size_t batch, const SampleShape& shape) {
  return {{Dim(batch), Dim(shape.channels), Dim(shape.height), Dim(shape.width)}, kF32, Tag::nhwc};
}

// The primitives of one batch size.
struct Primitives {
  dnnl::convolution_forward::primitive_desc forward;
  dnnl::convolution_backward_data::primitive_desc backward_data;
  // With and without the gradient of the bias.
  dnnl::convolution_backward_weights::primitive_desc backward_weights[2];
  dnnl::convolution_forward run_forward;
  dnnl::convolution_backward_data run_backward_data;
  dnnl::convolution_backward_weights run_backward_weights[2];
};

}  // namespace

class TrainableConvolution::Impl {
 public:
  explicit Impl(const ConvolutionLayer& layer)
      : input_(layer.input), output_(layer.output()), geometry_(GeometryOf(layer)) {}

  void Forward(std::size_t batch, const float* x, const float* weights, const float* bias,
               float* y) {
    const Primitives& primitives = For(batch);
    const auto& desc = primitives.forward;
    // The primitive always adds a bias; without one it adds zeros.
    Run(primitives.run_forward, desc.scratchpad_desc(),
        {{DNNL_ARG_SRC, In(desc.src_desc(), x)},
         {DNNL_ARG_WEIGHTS, Reordered(weights, desc.weights_desc())},
         {DNNL_ARG_BIAS, In(geometry_.bias, bias == nullptr ? NoBias() : bias)},
         {DNNL_ARG_DST, Out(desc.dst_desc(), y)}});
  }

  void BackwardData(std::size_t batch, const float* dy, const float* weights, float* dx) {
    const Primitives& primitives = For(batch);
    const auto& desc = primitives.backward_data;
    Run(primitives.run_backward_data, desc.scratchpad_desc(),
        {{DNNL_ARG_DIFF_DST, In(desc.diff_dst_desc(), dy)},
         {DNNL_ARG_WEIGHTS, Reordered(weights, desc.weights_desc())},
         {DNNL_ARG_DIFF_SRC, Out(desc.diff_src_desc(), dx)}});
  }

  void BackwardWeights(std::size_t batch, const float* x, const float* dy, float* weights_gradient,
                       float* bias_gradient) {
    const std::size_t with_bias = bias_gradient == nullptr ? 0 : 1;
    const Primitives& primitives = For(batch);
    const auto& desc = primitives.backward_weights[with_bias];
    const Desc blocked = desc.diff_weights_desc();
    const bool is_plain = blocked == geometry_.plain_weights;
    const dnnl::memory gradient =
        is_plain ? Out(blocked, weights_gradient) : Out(blocked, Resize(reordered_, blocked));
    Arguments arguments = {{DNNL_ARG_SRC, In(desc.src_desc(), x)},
                           {DNNL_ARG_DIFF_DST, In(desc.diff_dst_desc(), dy)},
                           {DNNL_ARG_DIFF_WEIGHTS, gradient}};
    if (bias_gradient != nullptr) {
      arguments.emplace(DNNL_ARG_DIFF_BIAS, Out(geometry_.bias, bias_gradient));
    }
    Run(primitives.run_backward_weights[with_bias], desc.scratchpad_desc(), std::move(arguments));
    if (!is_plain) Reorder(gradient, Out(geometry_.plain_weights, weights_gradient));
  }

  std::size_t WorkingBytes(std::size_t batch) {
    const Primitives& made = For(batch);
    std::size_t scratch = std::max(made.forward.scratchpad_desc().get_size(),
                                   made.backward_data.scratchpad_desc().get_size());
    std::size_t reordered = std::max(made.forward.weights_desc().get_size(),
                                     made.backward_data.weights_desc().get_size());
    for (const auto& backward_weights : made.backward_weights) {
      scratch = std::max(scratch, backward_weights.scratchpad_desc().get_size());
      reordered = std::max(reordered, backward_weights.diff_weights_desc().get_size());
    }
    return scratch + reordered + output_.channels * sizeof(float);
  }

  std::string Implementations(std::size_t batch) {
    const Primitives& primitives = For(batch);
    return absl::StrCat(primitives.forward.impl_info_str(), ", ",
                        primitives.backward_data.impl_info_str(), ", ",
                        primitives.backward_weights[1].impl_info_str());
  }

 private:
  const Primitives& For(std::size_t batch) {
    auto found = primitives_.find(batch);
    if (found == primitives_.end()) found = primitives_.emplace(batch, Make(batch)).first;
    return found->second;
  }

  Primitives Make(std::size_t batch) const {
    const Geometry& g = geometry_;
    const Desc x = Images(batch, input_);
    const Desc y = Images(batch, output_);
    const auto algorithm = dnnl::algorithm::convolution_direct;
    Primitives made;
    made.forward = {{dnnl::prop_kind::forward_training, algorithm, x, g.any_weights, g.bias, y,
                     g.strides, g.dilations, g.before, g.after},
                    StrictAttributes(),
                    CpuEngine()};
    made.backward_data = {
        {algorithm, x, g.any_weights, y, g.strides, g.dilations, g.before, g.after},
        StrictAttributes(),
        CpuEngine(),
        made.forward};
    using BackwardWeights = dnnl::convolution_backward_weights;
    made.backward_weights[0] = {BackwardWeights::desc(algorithm, x, g.any_weights, y, g.strides,
                                                      g.dilations, g.before, g.after),
                                StrictAttributes(), CpuEngine(), made.forward};
    made.backward_weights[1] = {BackwardWeights::desc(algorithm, x, g.any_weights, g.bias, y,
                                                      g.strides, g.dilations, g.before, g.after),
                                StrictAttributes(), CpuEngine(), made.forward};
    made.run_forward = dnnl::convolution_forward(made.forward);
    made.run_backward_data = dnnl::convolution_backward_data(made.backward_data);
    for (const std::size_t i : {0U, 1U}) {
      made.run_backward_weights[i] = BackwardWeights(made.backward_weights[i]);
    }
    return made;
  }

  static dnnl::memory Out(const Desc& desc, float* data) { return {desc, CpuEngine(), data}; }

  // oneDNN's memory wants a writable pointer even for what it only reads.
  static dnnl::memory In(const Desc& desc, const float* data) {
    return Out(desc, const_cast<float*>(data));
  }

  static float* Resize(std::vector<float>& buffer, const Desc& desc) {
    buffer.resize(std::max(buffer.size(), desc.get_size() / sizeof(float)));
    return buffer.data();
  }

  static void Reorder(dnnl::memory from, dnnl::memory to) {
    dnnl::reorder(from, to).execute(ThreadStream(), from, to);
    ThreadStream().wait();
  }

  dnnl::memory Reordered(const float* weights, const Desc& desc) {
    if (desc == geometry_.plain_weights) return In(desc, weights);
    dnnl::memory reordered = Out(desc, Resize(reordered_, desc));
    Reorder(In(geometry_.plain_weights, weights), reordered);
    return reordered;
  }

  const float* NoBias() {
    zeros_.resize(output_.channels);
    return zeros_.data();
  }

  void Run(const dnnl::primitive& primitive, const Desc& scratch_desc, Arguments arguments) {
    scratch_.resize(std::max(scratch_.size(), scratch_desc.get_size()));
    arguments.emplace(DNNL_ARG_SCRATCHPAD,
                      dnnl::memory(scratch_desc, CpuEngine(), scratch_.data()));
    primitive.execute(ThreadStream(), arguments);
    ThreadStream().wait();
  }

  SampleShape input_;
  SampleShape output_;
  Geometry geometry_;
  std::unordered_map<std::size_t, Primitives> primitives_;  // by batch size
  std::vector<float> reordered_;                            // weights, or their gradient
  std::vector<float> zeros_;
  std::vector<std::byte> scratch_;
};

TrainableConvolution::TrainableConvolution(const ConvolutionLayer& layer)
    : impl_(std::make_unique<Impl>(layer)) {}

TrainableConvolution::~TrainableConvolution() = default;

void TrainableConvolution::Forward(std::size_t batch, const float* x, const float* weights,
                                   const float* bias, float* y) {
  impl_->Forward(batch, x, weights, bias, y);
}

void TrainableConvolution::BackwardData(std::size_t batch, const float* dy, const float* weights,
                                        float* dx) {
  impl_->BackwardData(batch, dy, weights, dx);
}

void TrainableConvolution::BackwardWeights(std::size_t batch, const float* x, const float* dy,
                                           float* weights_gradient, float* bias_gradient) {
  impl_->BackwardWeights(batch, x, dy, weights_gradient, bias_gradient);
}

std::size_t TrainableConvolution::working_bytes(std::size_t batch) {
  return impl_->WorkingBytes(batch);
}

std::string TrainableConvolution::implementations(std::size_t batch) {
  return impl_->Implementations(batch);
}

}  // namespace lipserve::onednn
