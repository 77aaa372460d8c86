// SPDX-License-Identifier: Apache-2.0
#include "model/execution/network_steps.h"

#include <span>
#include <utility>
#include <variant>

#include "model/execution/activation.h"
#include "model/execution/convex_potential_step.h"
#include "model/execution/group_sort.h"
#include "model/execution/image_layout.h"
#include "model/execution/pooling.h"
#include "model/execution/up_sampling.h"

namespace lipserve {
namespace {

template <typename Number>
class GroupSortStep final : public LayerStep<Number> {
 public:
  GroupSortStep(const GroupSortLayer& layer, const SampleShape& input)
      : group_size_(layer.group_size), size_(input.size()) {}

  void Run(const Number* x, std::size_t rows, Number* y, std::byte* /*scratch*/) const override {
    GroupSort(std::span<const Number>(x, rows * size_), group_size_, y);
  }

 private:
  std::size_t group_size_;
  std::size_t size_;
};

// The part of a flatten that moves numbers.
template <typename Number>
class RowMajorStep final : public LayerStep<Number> {
 public:
  explicit RowMajorStep(const SampleShape& shape) : shape_(shape) {}

  void Run(const Number* x, std::size_t rows, Number* y, std::byte* /*scratch*/) const override {
    ToRowMajor(x, shape_, rows, y);
  }

 private:
  SampleShape shape_;
};

inline void Apply(const AveragePoolLayer& pool, const SampleShape& input, const auto* x, auto* y) {
  AveragePool(pool, input, x, y);
}
inline void Apply(const L2NormPoolLayer& pool, const SampleShape& input, const auto* x, auto* y) {
  L2NormPool(pool, input, x, y);
}
inline void Apply(const UpSamplingLayer& layer, const SampleShape& input, const auto* x, auto* y) {
  UpSample(layer, input, x, y);
}
inline void Apply(const auto& activation, const SampleShape& input, const auto* x, auto* y) {
  Activate(activation, input, x, y);
}

// A layer that works on one sample at a time.
template <typename Number, typename Layer>
class SampleStep final : public LayerStep<Number> {
 public:
  SampleStep(const Layer& layer, const SampleShape& input)
      : layer_(layer), input_(input), output_size_(OutputShape(layer, input).size()) {}

  void Run(const Number* x, std::size_t rows, Number* y, std::byte* /*scratch*/) const override {
    for (std::size_t r = 0; r < rows; ++r) {
      Apply(layer_, input_, x + r * input_.size(), y + r * output_size_);
    }
  }

 private:
  Layer layer_;
  SampleShape input_;
  std::size_t output_size_;
};

// The dense layer that gives for a channels-last image the same result as `dense` for a row-major
// one.
DenseLayer OfChannelsLast(const DenseLayer& dense, const SampleShape& image) {
  DenseLayer permuted = dense;
  ToChannelsLast(dense.weights.data(), image, dense.outputs, permuted.weights.data());
  return permuted;
}

// Appends the step of each layer that it visits.
template <typename Number>
class StepBuilder {
 public:
  StepBuilder(const SampleShape& input, const LinearSteps<Number>& linear)
      : linear_(linear), shape_(input), layout_shape_(input), steps_(input.size()) {}

  // A flatten changes only the shape. The memory layout stays as it is, because a dense layer that
  // follows can read the numbers in any order.
  void operator()(const FlattenLayer&) { shape_ = {shape_.size(), 1, 1}; }

  void operator()(const DenseLayer& layer) {
    Append(layer, linear_.Dense(
                      HasOneLayout(layout_shape_) ? layer : OfChannelsLast(layer, layout_shape_)));
  }

  void operator()(const ConvolutionLayer& layer) {
    MoveNumbers();
    Append(layer, linear_.Convolution(layer));
  }

  void operator()(const GroupSortLayer& layer) { AppendOwn<GroupSortStep<Number>>(layer); }

  void operator()(const ConvexPotentialLayer& layer) {
    MoveNumbers();
    Append(layer, ConvexPotentialStepOf(layer, linear_));
  }

  // Pools, up-samplings and activations.
  template <typename Layer>
  void operator()(const Layer& layer) {
    AppendOwn<SampleStep<Number, Layer>>(layer);
  }

  StepSequence<Number> Finish() { return std::move(steps_); }

 private:
  template <typename Step, typename Layer>
  void AppendOwn(const Layer& layer) {
    MoveNumbers();
    Append(layer, std::make_unique<Step>(layer, shape_));
  }

  // Moves the numbers for the flattens before a layer that is not dense.
  void MoveNumbers() {
    if (layout_shape_ != shape_ && !HasOneLayout(layout_shape_)) {
      steps_.Append(std::make_unique<RowMajorStep<Number>>(layout_shape_), shape_.size(), false);
    }
    layout_shape_ = shape_;
  }

  void Append(const FrozenLayer& layer, std::unique_ptr<const LayerStep<Number>> step) {
    shape_ = OutputShape(layer, shape_);
    layout_shape_ = shape_;
    steps_.Append(std::move(step), shape_.size(), !OnlyMovesNumbers(layer));
  }

  const LinearSteps<Number>& linear_;
  SampleShape shape_;         // of the numbers so far
  SampleShape layout_shape_;  // the shape in whose channels-last layout they lie
  StepSequence<Number> steps_;
};

}  // namespace

template <typename Number>
StepSequence<Number> StepsOf(const FrozenNetwork& network, const LinearSteps<Number>& linear) {
  StepBuilder<Number> builder(network.input_shape, linear);
  for (const FrozenLayer& layer : network.layers) std::visit(builder, layer);
  return builder.Finish();
}

template StepSequence<float> StepsOf(const FrozenNetwork&, const LinearSteps<float>&);
template StepSequence<double> StepsOf(const FrozenNetwork&, const LinearSteps<double>&);

}  // namespace lipserve
