// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_network.h"

#include <gmpxx.h>

#include <algorithm>
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
    const ScaledIntegers step = adjoint_(std::move(hidden), run);
    const int exponent = std::min(x.exponent, step.exponent);
    for (std::size_t k = 0; k < x.numbers.size(); ++k) {
      x.numbers[k] <<= static_cast<unsigned>(x.exponent - exponent);
      x.numbers[k] -= mpz_class(step.numbers[k] << static_cast<unsigned>(step.exponent - exponent));
    }
    x.exponent = exponent;
    return x;
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

// nullopt for a layer that only changes the shape.
std::optional<ExactLayer> ExactLayerOf(const FrozenLayer& layer, const SampleShape& input) {
  using Result = std::optional<ExactLayer>;
  return std::visit(
      Overloaded{
          [](const FlattenLayer&) { return Result(); },
          [](const DenseLayer& dense) { return Result(ToExact(dense)); },
          [](const ConvolutionLayer& convolution) { return Result(ToExact(convolution)); },
          [](const ConvexPotentialLayer& potential) { return Result(ToExact(potential)); },
          [&](const auto& other) { return Result(ToExact(other, input)); },
      },
      layer);
}

}  // namespace

struct ExactNetwork::Impl {
  std::vector<std::optional<ExactLayer>> layers;  // as in the frozen network
  std::size_t prototypes_per_class = 1;
};

ExactNetwork::ExactNetwork(const FrozenNetwork& network) {
  auto impl = std::make_unique<Impl>();
  impl->prototypes_per_class = network.prototypes_per_class;
  SampleShape shape = network.input_shape;
  for (const FrozenLayer& layer : network.layers) {
    impl->layers.push_back(ExactLayerOf(layer, shape));
    shape = OutputShape(layer, shape);
  }
  impl_ = std::move(impl);
}

ExactNetwork::~ExactNetwork() = default;

std::optional<ExactNetwork::Evaluation> ExactNetwork::Evaluate(std::span<const float> input,
                                                               std::optional<std::size_t> precision,
                                                               const StopCheck& stop) const {
  ExactRun run{.precision = precision, .stop = stop};
  ScaledIntegers x = ToIntegers(input);
  for (const auto& layer : impl_->layers) {
    if (layer) RoundDown(x, run);  // so the scores are not rounded
    ++run.layers;
    if (!layer) continue;
    x = (*layer)(std::move(x), run);
    if (stop()) return std::nullopt;
  }
  return Evaluation{.scores = std::move(x), .roundings = std::move(run.roundings)};
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
