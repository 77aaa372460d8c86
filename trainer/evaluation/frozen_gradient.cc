// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/frozen_gradient.h"

#include <algorithm>
#include <cassert>
#include <compare>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>

#include "model/execution/activation.h"
#include "model/execution/group_sort.h"
#include "model/execution/image_layout.h"
#include "model/execution/pooling.h"
#include "model/execution/up_sampling.h"
#include "trainer/constraints/linear_map.h"
#include "trainer/layers/activation_gradient.h"

namespace lipserve::trainer {
namespace {

class FlattenStep final : public GradientStep {
 public:
  explicit FlattenStep(SampleShape shape) : shape_(shape) {}

  void Forward(std::size_t batch, const float* x, float* y) override {
    ToRowMajor(x, shape_, batch, y);
  }
  void Backward(std::size_t batch, const float*, const float* dy, float* dx) override {
    ToChannelsLast(dy, shape_, batch, dx);
  }

 private:
  SampleShape shape_;
};

template <typename Layer>
const float* BiasOf(const Layer& layer) {
  return layer.bias.empty() ? nullptr : layer.bias.data();
}

// A dense layer reads its image in row-major order.
class DenseStep final : public GradientStep {
 public:
  DenseStep(const DenseLayer& layer, SampleShape shape)
      : layer_(layer),
        map_(MakeLinearMap(layer)),
        order_(shape),
        has_image_(!HasOneLayout(shape)) {}

  void Forward(std::size_t batch, const float* x, float* y) override {
    if (has_image_) {
      image_.resize(batch * layer_.inputs);
      order_.Forward(batch, x, image_.data());
      x = image_.data();
    }
    map_->Forward(batch, x, layer_.weights.data(), BiasOf(layer_), y);
  }
  void Backward(std::size_t batch, const float*, const float* dy, float* dx) override {
    float* const target = has_image_ ? image_.data() : dx;
    map_->BackwardData(batch, dy, layer_.weights.data(), target);
    if (has_image_) order_.Backward(batch, nullptr, target, dx);
  }

 private:
  const DenseLayer& layer_;
  std::unique_ptr<LinearMap> map_;
  FlattenStep order_;
  bool has_image_;
  std::vector<float> image_;
};

class ConvolutionStep final : public GradientStep {
 public:
  explicit ConvolutionStep(const ConvolutionLayer& layer)
      : layer_(layer), map_(MakeLinearMap(layer)) {}

  void Forward(std::size_t batch, const float* x, float* y) override {
    map_->Forward(batch, x, layer_.weights.data(), BiasOf(layer_), y);
  }
  void Backward(std::size_t batch, const float*, const float* dy, float* dx) override {
    map_->BackwardData(batch, dy, layer_.weights.data(), dx);
  }

 private:
  const ConvolutionLayer& layer_;
  std::unique_ptr<LinearMap> map_;
};

class GroupSortStep final : public GradientStep {
 public:
  GroupSortStep(GroupSortLayer layer, std::size_t size)
      : group_(layer.group_size), size_(size), order_(layer.group_size) {}

  void Forward(std::size_t batch, const float* x, float* y) override {
    GroupSort(std::span(x, batch * size_), group_, y);
  }
  void Backward(std::size_t batch, const float* x, const float* dy, float* dx) override {
    for (std::size_t begin = 0; begin < batch * size_; begin += group_) {
      std::iota(order_.begin(), order_.end(), begin);
      std::sort(order_.begin(), order_.end(),
                // A total order: products of large weights can be NaN.
                [x](std::size_t a, std::size_t b) { return std::strong_order(x[a], x[b]) < 0; });
      for (std::size_t k = 0; k < group_; ++k) dx[order_[k]] = dy[begin + k];
    }
  }

 private:
  std::size_t group_;
  std::size_t size_;
  std::vector<std::size_t> order_;
};

// Calls pair(k, window) for each number k of a channels-last sample and the window it lies in.
template <typename Pool, typename Pair>
void ForEachInWindow(const Pool& pool, const SampleShape& in, Pair pair) {
  const std::size_t out_width = in.width / pool.window_width;
  for (std::size_t i = 0; i < in.height; ++i) {
    for (std::size_t j = 0; j < in.width; ++j) {
      const std::size_t window = i / pool.window_height * out_width + j / pool.window_width;
      for (std::size_t c = 0; c < in.channels; ++c) {
        pair((i * in.width + j) * in.channels + c, window * in.channels + c);
      }
    }
  }
}

class AveragePoolStep final : public GradientStep {
 public:
  AveragePoolStep(AveragePoolLayer pool, SampleShape shape) : pool_(pool), in_(shape) {}

  void Forward(std::size_t batch, const float* x, float* y) override {
    const std::size_t out_size = OutputShape(pool_, in_).size();
    for (std::size_t n = 0; n < batch; ++n) {
      AveragePool(pool_, in_, x + n * in_.size(), y + n * out_size);
    }
  }
  void Backward(std::size_t batch, const float*, const float* dy, float* dx) override {
    const std::size_t out_size = OutputShape(pool_, in_).size();
    for (std::size_t n = 0; n < batch; ++n, dy += out_size, dx += in_.size()) {
      ForEachInWindow(pool_, in_,
                      [&](std::size_t k, std::size_t window) { dx[k] = pool_.scale * dy[window]; });
    }
  }

 private:
  AveragePoolLayer pool_;
  SampleShape in_;
};

class L2NormPoolStep final : public GradientStep {
 public:
  L2NormPoolStep(L2NormPoolLayer pool, SampleShape shape) : pool_(pool), in_(shape) {}

  void Forward(std::size_t batch, const float* x, float* y) override {
    const std::size_t out_size = OutputShape(pool_, in_).size();
    for (std::size_t n = 0; n < batch; ++n) {
      L2NormPool(pool_, in_, x + n * in_.size(), y + n * out_size);
    }
  }
  void Backward(std::size_t batch, const float* x, const float* dy, float* dx) override {
    const std::size_t out_size = OutputShape(pool_, in_).size();
    norms_.resize(out_size);
    for (std::size_t n = 0; n < batch; ++n, x += in_.size(), dy += out_size, dx += in_.size()) {
      L2NormPool(pool_, in_, x, norms_.data());
      ForEachInWindow(pool_, in_, [&](std::size_t k, std::size_t window) {
        dx[k] = norms_[window] > 0.0F ? x[k] / norms_[window] * dy[window] : 0.0F;
      });
    }
  }

 private:
  L2NormPoolLayer pool_;
  SampleShape in_;
  std::vector<float> norms_;
};

// y = x - T^T max(T x + b, 0), T x + b the inner layer.
template <typename Inner>
class ConvexPotentialStep final : public GradientStep {
 public:
  explicit ConvexPotentialStep(const Inner& inner) : inner_(inner), map_(MakeLinearMap(inner)) {}

  void Forward(std::size_t batch, const float* x, float* y) override {
    hidden_.resize(batch * map_->outputs());
    map_->Forward(batch, x, inner_.weights.data(), BiasOf(inner_), hidden_.data());
    for (float& value : hidden_) value = std::max(value, 0.0F);
    map_->BackwardData(batch, hidden_.data(), inner_.weights.data(), y);
    for (std::size_t k = 0; k < batch * map_->inputs(); ++k) y[k] = x[k] - y[k];
  }
  // dx = (I - T^T D T) dy, a symmetric matrix, with D 1 where T x + b is positive and 0 elsewhere.
  void Backward(std::size_t batch, const float*, const float* dy, float* dx) override {
    hidden_gradient_.resize(hidden_.size());
    map_->Forward(batch, dy, inner_.weights.data(), nullptr, hidden_gradient_.data());
    for (std::size_t k = 0; k < hidden_.size(); ++k) {
      if (hidden_[k] <= 0.0F) hidden_gradient_[k] = 0.0F;
    }
    map_->BackwardData(batch, hidden_gradient_.data(), inner_.weights.data(), dx);
    for (std::size_t k = 0; k < batch * map_->inputs(); ++k) dx[k] = dy[k] - dx[k];
  }

 private:
  const Inner& inner_;
  std::unique_ptr<LinearMap> map_;
  std::vector<float> hidden_;  // max(T x + b, 0) of the last Forward
  std::vector<float> hidden_gradient_;
};

template <typename Layer>
class ActivationStep final : public GradientStep {
 public:
  ActivationStep(const Layer& layer, const SampleShape& shape)
      : layer_(layer), in_(shape), out_(OutputShape(layer, shape)) {}

  void Forward(std::size_t batch, const float* x, float* y) override {
    for (std::size_t n = 0; n < batch; ++n) {
      Activate(layer_, in_, x + n * in_.size(), y + n * out_.size());
    }
  }
  void Backward(std::size_t batch, const float* x, const float* dy, float* dx) override {
    ActivationGradient(layer_, in_.channels, batch * in_.height * in_.width, x, dy, dx);
  }

 private:
  const Layer& layer_;
  SampleShape in_;
  SampleShape out_;
};

class UpSamplingStep final : public GradientStep {
 public:
  UpSamplingStep(UpSamplingLayer layer, SampleShape shape) : layer_(layer), in_(shape) {}

  void Forward(std::size_t batch, const float* x, float* y) override {
    for (std::size_t n = 0; n < batch; ++n) {
      UpSample(layer_, in_, x + n * in_.size(), y + n * in_.size());
    }
  }
  void Backward(std::size_t batch, const float*, const float* dy, float* dx) override {
    for (std::size_t n = 0; n < batch; ++n) {
      UndoUpSampling(layer_, in_, dy + n * in_.size(), dx + n * in_.size());
    }
  }

 private:
  UpSamplingLayer layer_;
  SampleShape in_;
};

class MaxPoolStep final : public GradientStep {
 public:
  MaxPoolStep(MaxPoolLayer layer, SampleShape shape)
      : layer_(layer), in_(shape), out_(OutputShape(layer, shape)) {}

  void Forward(std::size_t batch, const float* x, float* y) override {
    for (std::size_t n = 0; n < batch; ++n) {
      MaxPool(layer_, in_, x + n * in_.size(), y + n * out_.size());
    }
  }
  void Backward(std::size_t batch, const float* x, const float* dy, float* dx) override {
    std::fill_n(dx, batch * in_.size(), 0.0F);
    for (std::size_t n = 0; n < batch; ++n, x += in_.size(), dx += in_.size()) {
      for (std::size_t i = 0; i < out_.height; ++i) {
        for (std::size_t j = 0; j < out_.width; ++j) {
          for (std::size_t c = 0; c < out_.channels; ++c) dx[Largest(x, i, j, c)] += *dy++;
        }
      }
    }
  }

 private:
  // The index of the largest number of a window.
  std::size_t Largest(const float* x, std::size_t i, std::size_t j, std::size_t c) const {
    std::optional<std::size_t> largest;
    for (std::size_t u = 0; u < layer_.vertical.size; ++u) {
      const auto row = SourcePosition(layer_.vertical, PaddingMode::kZero, in_.height, i, u);
      if (!row) continue;
      for (std::size_t v = 0; v < layer_.horizontal.size; ++v) {
        const auto column = SourcePosition(layer_.horizontal, PaddingMode::kZero, in_.width, j, v);
        if (!column) continue;
        const std::size_t index = (*row * in_.width + *column) * in_.channels + c;
        if (!largest || x[index] > x[*largest]) largest = index;
      }
    }
    return *largest;
  }

  MaxPoolLayer layer_;
  SampleShape in_;
  SampleShape out_;
};

class ClipStep final : public GradientStep {
 public:
  ClipStep(ClipLayer layer, SampleShape shape) : layer_(layer), in_(shape) {}

  void Forward(std::size_t batch, const float* x, float* y) override {
    for (std::size_t n = 0; n < batch; ++n) {
      Activate(layer_, in_, x + n * in_.size(), y + n * in_.size());
    }
  }
  void Backward(std::size_t batch, const float* x, const float* dy, float* dx) override {
    for (std::size_t k = 0; k < batch * in_.size(); ++k) {
      dx[k] = x[k] > layer_.low && x[k] < layer_.high ? dy[k] : 0.0F;
    }
  }

 private:
  ClipLayer layer_;
  SampleShape in_;
};

class PermutationStep final : public GradientStep {
 public:
  PermutationStep(const PermutationLayer& layer, SampleShape shape) : layer_(layer), in_(shape) {}

  void Forward(std::size_t batch, const float* x, float* y) override {
    ForEach([&](std::size_t from, std::size_t to) {
      for (std::size_t n = 0; n < batch; ++n) {
        y[n * layer_.output.size() + to] = x[n * in_.size() + from];
      }
    });
  }
  void Backward(std::size_t batch, const float*, const float* dy, float* dx) override {
    std::fill_n(dx, batch * in_.size(), 0.0F);
    ForEach([&](std::size_t from, std::size_t to) {
      for (std::size_t n = 0; n < batch; ++n) {
        dx[n * in_.size() + from] = dy[n * layer_.output.size() + to];
      }
    });
  }

 private:
  template <typename Move>
  void ForEach(Move move) const {
    for (std::size_t k = 0; k < layer_.sources.size(); ++k) {
      move(ChannelsLastIndex(in_, layer_.sources[k]), ChannelsLastIndex(layer_.output, k));
    }
  }

  const PermutationLayer& layer_;
  SampleShape in_;
};

// The step of a layer that reads `shape`.
struct MakeStep {
  const SampleShape& shape;

  std::unique_ptr<GradientStep> operator()(const FlattenLayer&) const {
    return std::make_unique<FlattenStep>(shape);
  }
  std::unique_ptr<GradientStep> operator()(const DenseLayer& layer) const {
    return std::make_unique<DenseStep>(layer, shape);
  }
  std::unique_ptr<GradientStep> operator()(const ConvolutionLayer& layer) const {
    return std::make_unique<ConvolutionStep>(layer);
  }
  std::unique_ptr<GradientStep> operator()(const ConvexPotentialLayer& layer) const {
    return std::visit(
        [](const auto& inner) -> std::unique_ptr<GradientStep> {
          using Inner = std::decay_t<decltype(inner)>;
          return std::make_unique<ConvexPotentialStep<Inner>>(inner);
        },
        layer.inner);
  }
  std::unique_ptr<GradientStep> operator()(const AveragePoolLayer& layer) const {
    return std::make_unique<AveragePoolStep>(layer, shape);
  }
  std::unique_ptr<GradientStep> operator()(const L2NormPoolLayer& layer) const {
    return std::make_unique<L2NormPoolStep>(layer, shape);
  }
  std::unique_ptr<GradientStep> operator()(const UpSamplingLayer& layer) const {
    return std::make_unique<UpSamplingStep>(layer, shape);
  }
  std::unique_ptr<GradientStep> operator()(const MaxPoolLayer& layer) const {
    return std::make_unique<MaxPoolStep>(layer, shape);
  }
  std::unique_ptr<GradientStep> operator()(const ClipLayer& layer) const {
    return std::make_unique<ClipStep>(layer, shape);
  }
  std::unique_ptr<GradientStep> operator()(const PermutationLayer& layer) const {
    return std::make_unique<PermutationStep>(layer, shape);
  }
  std::unique_ptr<GradientStep> operator()(const SumLayer&) const { return nullptr; }
  std::unique_ptr<GradientStep> operator()(const GroupSortLayer& layer) const {
    return std::make_unique<GroupSortStep>(layer, shape.size());
  }
  std::unique_ptr<GradientStep> operator()(const auto& activation) const {
    using Layer = std::decay_t<decltype(activation)>;
    return std::make_unique<ActivationStep<Layer>>(activation, shape);
  }
};

// Adds to a sum that is empty before its first term.
void AddTo(std::vector<float>& sum, const std::vector<float>& term) {
  if (sum.empty()) {
    sum = term;
  } else {
    std::transform(sum.begin(), sum.end(), term.begin(), sum.begin(), std::plus<>());
  }
}

}  // namespace

FrozenGradient::FrozenGradient(const FrozenNetwork& network) : input_(network.input_shape) {
  const std::vector<SampleShape> shapes = ValueShapes(network);
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const FrozenLayer& layer = network.layers[i];
    const std::size_t input = network.InputOf(i);
    const auto* const sum = std::get_if<SumLayer>(&layer);
    entries_.push_back({.step = std::visit(MakeStep{shapes[input]}, layer),
                        .input = input,
                        .other = sum == nullptr ? input : sum->other});
  }
  for (const SampleShape& shape : shapes) sizes_.push_back(shape.size());
  values_.resize(sizes_.size());
  gradients_.resize(sizes_.size());
}

ConstMatrixView FrozenGradient::Scores(ConstMatrixView inputs) {
  assert(inputs.cols == input_.size());
  const std::size_t batch = inputs.rows;
  for (std::size_t i = 0; i < sizes_.size(); ++i) values_[i].resize(batch * sizes_[i]);
  ToChannelsLast(inputs.data, input_, batch, values_[0].data());
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const std::vector<float>& x = values_[entries_[i].input];
    std::vector<float>& y = values_[i + 1];
    if (entries_[i].step != nullptr) {
      entries_[i].step->Forward(batch, x.data(), y.data());
    } else {
      std::transform(x.begin(), x.end(), values_[entries_[i].other].begin(), y.begin(),
                     std::plus<>());
    }
  }
  return {values_.back().data(), batch, sizes_.back()};
}

ConstMatrixView FrozenGradient::Gradient(ConstMatrixView weights) {
  const std::size_t batch = weights.rows;
  for (std::vector<float>& gradient : gradients_) gradient.clear();
  gradients_.back().assign(weights.data, weights.data + weights.size());
  // Readers come after what they read, so a gradient is complete when its layer's turn comes.
  for (std::size_t i = entries_.size(); i-- > 0;) {
    const auto& [step, input, other] = entries_[i];
    const std::vector<float>& dy = gradients_[i + 1];
    added_.resize(batch * sizes_[input]);
    if (step != nullptr) {
      step->Backward(batch, values_[input].data(), dy.data(), added_.data());
    } else {
      added_ = dy;
      AddTo(gradients_[other], dy);
    }
    AddTo(gradients_[input], added_);
  }
  result_.resize(batch * input_.size());
  ToRowMajor(gradients_[0].data(), input_, batch, result_.data());
  return {result_.data(), batch, input_.size()};
}

}  // namespace lipserve::trainer
