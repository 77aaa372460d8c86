// SPDX-License-Identifier: Apache-2.0
#include "model/execution/network_steps.h"

#include <cstdint>
#include <span>
#include <utility>
#include <variant>
#include <vector>

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
inline void Apply(const MaxPoolLayer& pool, const SampleShape& input, const auto* x, auto* y) {
  MaxPool(pool, input, x, y);
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

// Moves numbers by a list of sources, channels last.
template <typename Number>
class PermutationStep final : public LayerStep<Number> {
 public:
  PermutationStep(const PermutationLayer& layer, const SampleShape& input)
      : input_size_(input.size()), sources_(layer.sources.size()) {
    const SampleShape& output = layer.output;
    std::vector<std::uint32_t> to_input(input_size_);  // row-major to channels last
    for (std::size_t k = 0; k < input_size_; ++k) {
      to_input[k] = static_cast<std::uint32_t>(ChannelsLastIndex(input, k));
    }
    for (std::size_t k = 0; k < sources_.size(); ++k) {
      sources_[ChannelsLastIndex(output, k)] = to_input[layer.sources[k]];
    }
  }

  void Run(const Number* x, std::size_t rows, Number* y, std::byte* /*scratch*/) const override {
    for (std::size_t r = 0; r < rows; ++r, x += input_size_, y += sources_.size()) {
      for (std::size_t k = 0; k < sources_.size(); ++k) y[k] = x[sources_[k]];
    }
  }

 private:
  std::size_t input_size_;
  std::vector<std::uint32_t> sources_;
};

// Appends the steps of each layer that it visits.
template <typename Number>
class StepBuilder {
 public:
  StepBuilder(const FrozenNetwork& network, const LinearSteps<Number>& linear)
      : network_(network), linear_(linear), steps_(network.input_shape.size()) {
    values_.push_back(
        {.source = 0, .shape = network.input_shape, .layout_shape = network.input_shape});
  }

  StepSequence<Number> Build() {
    for (std::size_t i = 0; i < network_.layers.size(); ++i) {
      x_ = network_.InputOf(i);
      std::visit(*this, network_.layers[i]);
    }
    steps_.AssignBuffers();
    return std::move(steps_);
  }

  // A flatten changes only the shape. The memory layout stays as it is, because a dense layer that
  // follows can read the numbers in any order.
  void operator()(const FlattenLayer&) {
    Value flat = values_[x_];
    flat.shape = {flat.shape.size(), 1, 1};
    values_.push_back(flat);
  }

  void operator()(const DenseLayer& layer) {
    const SampleShape& layout = values_[x_].layout_shape;
    Append(layer, linear_.Dense(HasOneLayout(layout) ? layer : OfChannelsLast(layer, layout)));
  }

  void operator()(const ConvolutionLayer& layer) {
    MoveNumbers(x_);
    Append(layer, linear_.Convolution(layer));
  }

  void operator()(const GroupSortLayer& layer) { AppendOwn<GroupSortStep<Number>>(layer); }

  void operator()(const PermutationLayer& layer) { AppendOwn<PermutationStep<Number>>(layer); }

  void operator()(const ConvexPotentialLayer& layer) {
    MoveNumbers(x_);
    Append(layer, ConvexPotentialStepOf(layer, linear_));
  }

  void operator()(const SumLayer& layer) {
    if (values_[x_].layout_shape != values_[layer.other].layout_shape) {
      MoveNumbers(x_);
      MoveNumbers(layer.other);
    }
    Value sum = values_[x_];
    sum.source = steps_.AppendSum(sum.source, values_[layer.other].source);
    values_.push_back(sum);
  }

  // Pools, up-samplings and activations.
  template <typename Layer>
  void operator()(const Layer& layer) {
    AppendOwn<SampleStep<Number, Layer>>(layer);
  }

 private:
  struct Value {
    typename StepSequence<Number>::Source source;
    SampleShape shape;         // of the numbers
    SampleShape layout_shape;  // the shape in whose channels-last layout they lie
  };

  template <typename Step, typename Layer>
  void AppendOwn(const Layer& layer) {
    MoveNumbers(x_);
    Append(layer, std::make_unique<Step>(layer, values_[x_].shape));
  }

  // Moves the numbers of a value that was flattened, for a layer that is not dense.
  void MoveNumbers(std::size_t index) {
    Value& value = values_[index];
    if (value.layout_shape != value.shape && !HasOneLayout(value.layout_shape)) {
      value.source = steps_.Append(std::make_unique<RowMajorStep<Number>>(value.layout_shape),
                                   value.source, value.shape.size(), false);
    }
    value.layout_shape = value.shape;
  }

  void Append(const FrozenLayer& layer, std::unique_ptr<const LayerStep<Number>> step) {
    const SampleShape shape = OutputShape(layer, values_[x_].shape);
    const auto source =
        steps_.Append(std::move(step), values_[x_].source, shape.size(), !OnlyMovesNumbers(layer));
    values_.push_back({.source = source, .shape = shape, .layout_shape = shape});
  }

  const FrozenNetwork& network_;
  const LinearSteps<Number>& linear_;
  StepSequence<Number> steps_;
  std::vector<Value> values_;  // of the network, so far
  std::size_t x_ = 0;          // the value that the layer in turn reads
};

}  // namespace

template <typename Number>
StepSequence<Number> StepsOf(const FrozenNetwork& network, const LinearSteps<Number>& linear) {
  return StepBuilder<Number>(network, linear).Build();
}

template StepSequence<float> StepsOf(const FrozenNetwork&, const LinearSteps<float>&);
template StepSequence<double> StepsOf(const FrozenNetwork&, const LinearSteps<double>&);

}  // namespace lipserve
