// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/frozen_gradient.h"

#include <algorithm>
#include <cassert>
#include <compare>
#include <numeric>
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
  std::unique_ptr<GradientStep> operator()(const GroupSortLayer& layer) const {
    return std::make_unique<GroupSortStep>(layer, shape.size());
  }
  std::unique_ptr<GradientStep> operator()(const auto& activation) const {
    using Layer = std::decay_t<decltype(activation)>;
    return std::make_unique<ActivationStep<Layer>>(activation, shape);
  }
};

}  // namespace

FrozenGradient::FrozenGradient(const FrozenNetwork& network) : input_(network.input_shape) {
  SampleShape shape = input_;
  for (const FrozenLayer& layer : network.layers) {
    sizes_.push_back(shape.size());
    steps_.push_back(std::visit(MakeStep{shape}, layer));
    shape = OutputShape(layer, shape);
  }
  sizes_.push_back(shape.size());
  values_.resize(sizes_.size());
}

ConstMatrixView FrozenGradient::Scores(ConstMatrixView inputs) {
  assert(inputs.cols == input_.size());
  const std::size_t batch = inputs.rows;
  for (std::size_t i = 0; i < sizes_.size(); ++i) values_[i].resize(batch * sizes_[i]);
  ToChannelsLast(inputs.data, input_, batch, values_[0].data());
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    steps_[i]->Forward(batch, values_[i].data(), values_[i + 1].data());
  }
  return {values_.back().data(), batch, sizes_.back()};
}

ConstMatrixView FrozenGradient::Gradient(ConstMatrixView weights) {
  const std::size_t batch = weights.rows;
  gradients_[0].assign(weights.data, weights.data + weights.size());
  for (std::size_t i = steps_.size(); i-- > 0;) {
    gradients_[1].resize(batch * sizes_[i]);
    steps_[i]->Backward(batch, values_[i].data(), gradients_[0].data(), gradients_[1].data());
    std::swap(gradients_[0], gradients_[1]);
  }
  gradients_[1].resize(batch * input_.size());
  ToRowMajor(gradients_[0].data(), input_, batch, gradients_[1].data());
  return {gradients_[1].data(), batch, input_.size()};
}

}  // namespace lipserve::trainer
