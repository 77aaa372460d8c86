// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_network.h"

#include <gmpxx.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "model/execution/exact_activation.h"
#include "model/execution/exact_integers.h"
#include "model/execution/exact_linear.h"
#include "model/execution/exact_pooling.h"
#include "model/foundation/overloaded.h"
#include "model/network/adjoint.h"

namespace lipserve {
namespace {

class ExactConvexPotential {
 public:
  explicit ExactConvexPotential(const ConvexPotentialLayer& layer)
      : map_(std::visit([](const auto& inner) { return ToExact(inner); }, layer.inner)),
        adjoint_(std::visit([](const auto& inner) { return AdjointOf(inner); }, layer.inner)) {}

  ScaledIntegers Apply(ScaledIntegers x, ExactRun& run) const {
    ScaledIntegers hidden = map_(x, run);
    for (mpz_class& number : hidden.numbers) {
      if (sgn(number) < 0) number = 0;
    }
    ScaledIntegers step = adjoint_(std::move(hidden), run);
    for (mpz_class& number : step.numbers) mpz_neg(number.get_mpz_t(), number.get_mpz_t());
    return Sum(std::move(x), std::move(step));
  }

 private:
  // Keeps the weights that the exact layer reads.
  template <typename Layer>
  static ExactLayer AdjointOf(const Layer& layer) {
    const auto adjoint = std::make_shared<const Layer>(Adjoint(layer));
    return [adjoint, exact = ToExact(*adjoint)](ScaledIntegers x, ExactRun& run) {
      return exact(std::move(x), run);
    };
  }

  ExactLayer map_;
  ExactLayer adjoint_;
};

struct ExactUpSampling {
  UpSamplingLayer layer;
  SampleShape input;

  ScaledIntegers Apply(ScaledIntegers x) const {
    const SampleShape out = OutputShape(layer, input);
    ScaledIntegers y{.numbers = std::vector<mpz_class>(x.numbers.size()), .exponent = x.exponent};
    for (std::size_t k = 0; k < y.numbers.size(); ++k) {
      const std::size_t row = k / out.width % out.height;
      const std::size_t column = k % out.width;
      const std::size_t channel =
          (k / (out.width * out.height) * layer.window_height + row % layer.window_height) *
              layer.window_width +
          column % layer.window_width;
      y.numbers[k].swap(
          x.numbers[(channel * input.height + row / layer.window_height) * input.width +
                    column / layer.window_width]);
    }
    return y;
  }
};

struct ExactPermutation {
  std::vector<std::uint32_t> sources;

  ScaledIntegers Apply(ScaledIntegers x) const {
    ScaledIntegers y{.numbers = std::vector<mpz_class>(sources.size()), .exponent = x.exponent};
    for (std::size_t k = 0; k < sources.size(); ++k) y.numbers[k].swap(x.numbers[sources[k]]);
    return y;
  }
};

ExactLayer ToExact(const PermutationLayer& layer, const SampleShape& /*input*/) {
  return [exact = ExactPermutation{layer.sources}](ScaledIntegers x, ExactRun&) {
    return exact.Apply(std::move(x));
  };
}

ExactLayer ToExact(const ConvexPotentialLayer& layer) {
  return [exact = ExactConvexPotential(layer)](ScaledIntegers x, ExactRun& run) {
    return exact.Apply(std::move(x), run);
  };
}

ExactLayer ToExact(const UpSamplingLayer& layer, const SampleShape& input) {
  return [exact = ExactUpSampling{layer, input}](ScaledIntegers x, ExactRun&) {
    return exact.Apply(std::move(x));
  };
}

// nullopt for a layer that only changes the shape, and for a sum, which reads two values.
std::optional<ExactLayer> ExactLayerOf(const FrozenLayer& layer, const SampleShape& input) {
  using Result = std::optional<ExactLayer>;
  return std::visit(
      Overloaded{
          [](const FlattenLayer&) { return Result(); },
          [](const SumLayer&) { return Result(); },
          [](const DenseLayer& dense) { return Result(ToExact(dense)); },
          [](const ConvolutionLayer& convolution) { return Result(ToExact(convolution)); },
          [](const ConvexPotentialLayer& potential) { return Result(ToExact(potential)); },
          [&](const auto& other) { return Result(ToExact(other, input)); },
      },
      layer);
}

}  // namespace

struct ExactNetwork::Impl {
  struct Layer {
    std::optional<ExactLayer> exact;
    std::size_t input;                 // the value that it reads
    std::optional<std::size_t> other;  // the value that it adds
  };

  std::vector<Layer> layers;              // as in the frozen network
  std::vector<std::size_t> last_readers;  // of each value
  std::size_t prototypes_per_class = 1;
};

ExactNetwork::ExactNetwork(const FrozenNetwork& network) {
  auto impl = std::make_unique<Impl>();
  impl->prototypes_per_class = network.prototypes_per_class;
  impl->last_readers = LastReaders(network);
  const std::vector<SampleShape> shapes = ValueShapes(network);
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const std::size_t input = network.InputOf(i);
    Impl::Layer layer{.exact = ExactLayerOf(network.layers[i], shapes[input]),
                      .input = input,
                      .other = std::nullopt};
    const auto* const sum = std::get_if<SumLayer>(&network.layers[i]);
    if (sum != nullptr) layer.other = sum->other;
    impl->layers.push_back(std::move(layer));
  }
  impl_ = std::move(impl);
}

ExactNetwork::~ExactNetwork() = default;

std::optional<ExactNetwork::Evaluation> ExactNetwork::Evaluate(std::span<const float> input,
                                                               std::optional<std::size_t> precision,
                                                               const StopCheck& stop) const {
  ExactRun run{.precision = precision, .stop = stop};
  std::vector<ScaledIntegers> values(impl_->layers.size() + 1);
  values[0] = ToIntegers(input);
  // The value as layer `reader` reads it; its last reader takes it.
  const auto take = [&](std::size_t value, std::size_t reader) {
    return impl_->last_readers[value] == reader ? std::move(values[value]) : values[value];
  };
  for (std::size_t i = 0; i < impl_->layers.size(); ++i) {
    const Impl::Layer& layer = impl_->layers[i];
    // What computes reads rounded numbers, so the scores are not rounded.
    if (layer.exact || layer.other) {
      for (const std::size_t value : {layer.input, layer.other.value_or(layer.input)}) {
        run.value = value;
        RoundDown(values[value], run);
      }
    }
    run.value = i + 1;
    if (layer.other) {
      ScaledIntegers z = values[*layer.other];
      values[i + 1] = Sum(take(layer.input, i), std::move(z));
    } else {
      values[i + 1] = take(layer.input, i);
      if (layer.exact) values[i + 1] = (*layer.exact)(std::move(values[i + 1]), run);
    }
    if (stop()) return std::nullopt;
  }
  return Evaluation{.scores = std::move(values.back()), .roundings = std::move(run.roundings)};
}

std::size_t ExactNetwork::LargestClass(const Evaluation& evaluation) const {
  const std::vector<mpz_class>& scores = evaluation.scores.numbers;
  if (scores.size() == 1) return sgn(scores[0]) >= 0 ? 0 : 1;
  // The first of the largest is of the first class among those that have them.
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  return static_cast<std::size_t>(best) / impl_->prototypes_per_class;
}

std::size_t ExactNetwork::ClassOf(std::span<const float> input) const {
  return LargestClass(*Evaluate(input, std::nullopt, StopCheck()));
}

}  // namespace lipserve
