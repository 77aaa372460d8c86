// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_network.h"

#include <gmpxx.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "model/network/adjoint.h"
#include "model/network/overloaded.h"

namespace lipserve {
namespace {

// numbers[i] * 2^exponent.
struct ScaledIntegers {
  std::vector<mpz_class> numbers;
  int exponent = 0;
};

constexpr int kFractionBits = 24;

// The power of two of the last bit of a float: 0.m * 2^e has its last bit at e - 24.
int LastBitExponent(float value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  return exponent - kFractionBits;
}

ScaledIntegers ToIntegers(std::span<const float> values) {
  ScaledIntegers result;
  result.exponent = std::numeric_limits<int>::max();
  for (const float value : values) {
    if (value != 0.0F) result.exponent = std::min(result.exponent, LastBitExponent(value));
  }
  if (result.exponent == std::numeric_limits<int>::max()) result.exponent = 0;  // all zero
  result.numbers.reserve(values.size());
  for (const float value : values) {
    mpz_class number;
    if (value != 0.0F) {
      const int last_bit = LastBitExponent(value);
      // Exact: the fraction is an integer of at most 24 bits.
      number = static_cast<long>(std::ldexp(static_cast<double>(value), -last_bit));
      number <<= static_cast<unsigned>(last_bit - result.exponent);
    }
    result.numbers.push_back(std::move(number));
  }
  return result;
}

// Sums of products of one linear map, then its biases: both are integers times their own power of
// two, and the results take the smaller.
class ExactSums {
 public:
  ExactSums(const ScaledIntegers& weights, const ScaledIntegers& x, const ScaledIntegers& bias)
      : weights_(weights),
        x_(x),
        bias_(bias),
        product_exponent_(weights.exponent + x.exponent),
        exponent_(bias.numbers.empty() ? product_exponent_
                                       : std::min(product_exponent_, bias.exponent)) {}

  int exponent() const { return exponent_; }

  void AddProduct(std::size_t weight, std::size_t source) {
    mpz_addmul(sum_.get_mpz_t(), weights_.numbers[weight].get_mpz_t(),
               x_.numbers[source].get_mpz_t());
  }

  // The sum of the products since the last call, plus the bias of `output`.
  mpz_class Finish(std::size_t output) {
    sum_ <<= static_cast<unsigned>(product_exponent_ - exponent_);
    if (!bias_.numbers.empty()) {
      sum_ += mpz_class(bias_.numbers[output] << static_cast<unsigned>(bias_.exponent - exponent_));
    }
    return std::exchange(sum_, mpz_class());
  }

 private:
  const ScaledIntegers& weights_;
  const ScaledIntegers& x_;
  const ScaledIntegers& bias_;
  int product_exponent_;
  int exponent_;
  mpz_class sum_;
};

struct ExactDense {
  std::size_t inputs;
  std::size_t outputs;
  ScaledIntegers weights;  // [outputs, inputs]
  ScaledIntegers bias;     // [outputs], or empty

  ScaledIntegers Apply(const ScaledIntegers& x) const {
    ExactSums sums(weights, x, bias);
    ScaledIntegers y{.numbers = {}, .exponent = sums.exponent()};
    y.numbers.reserve(outputs);
    for (std::size_t o = 0; o < outputs; ++o) {
      for (std::size_t k = 0; k < inputs; ++k) sums.AddProduct(o * inputs + k, k);
      y.numbers.push_back(sums.Finish(o));
    }
    return y;
  }
};

ExactDense ToExactDense(const DenseLayer& dense) {
  return {.inputs = dense.inputs,
          .outputs = dense.outputs,
          .weights = ToIntegers(dense.weights),
          .bias = ToIntegers(dense.bias)};
}

// What each output of an axis reads through each tap: [outputs, taps].
std::vector<std::optional<std::size_t>> Sources(const WindowAxis& axis, PaddingMode mode,
                                                std::size_t length) {
  std::vector<std::optional<std::size_t>> sources;
  for (std::size_t output = 0; output < axis.outputs(length); ++output) {
    for (std::size_t tap = 0; tap < axis.size; ++tap) {
      sources.push_back(SourcePosition(axis, mode, length, output, tap));
    }
  }
  return sources;
}

class ExactConvolution {
 public:
  explicit ExactConvolution(const ConvolutionLayer& layer)
      : input_(layer.input),
        output_(layer.output()),
        groups_(layer.groups),
        taps_down_(layer.vertical.size),
        taps_across_(layer.horizontal.size),
        rows_(Sources(layer.vertical, layer.padding_mode, layer.input.height)),
        columns_(Sources(layer.horizontal, layer.padding_mode, layer.input.width)),
        weights_(ToIntegers(layer.weights)),
        bias_(ToIntegers(layer.bias)) {}

  ScaledIntegers Apply(const ScaledIntegers& x) const {
    ExactSums sums(weights_, x, bias_);
    ScaledIntegers y{.numbers = {}, .exponent = sums.exponent()};
    y.numbers.reserve(output_.size());
    for (std::size_t o = 0; o < output_.channels; ++o) {
      for (std::size_t i = 0; i < output_.height; ++i) {
        for (std::size_t j = 0; j < output_.width; ++j) {
          AddWindow(o, i, j, sums);
          y.numbers.push_back(sums.Finish(o));
        }
      }
    }
    return y;
  }

 private:
  void AddWindow(std::size_t o, std::size_t i, std::size_t j, ExactSums& sums) const {
    const std::size_t channels = input_.channels / groups_;
    const std::size_t first_channel = o / (output_.channels / groups_) * channels;
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t u = 0; u < taps_down_; ++u) {
        for (std::size_t v = 0; v < taps_across_; ++v) {
          const auto row = rows_[i * taps_down_ + u];
          const auto column = columns_[j * taps_across_ + v];
          if (!row || !column) continue;
          sums.AddProduct(((o * channels + c) * taps_down_ + u) * taps_across_ + v,
                          ((first_channel + c) * input_.height + *row) * input_.width + *column);
        }
      }
    }
  }

  SampleShape input_;
  SampleShape output_;
  std::size_t groups_;
  std::size_t taps_down_;
  std::size_t taps_across_;
  std::vector<std::optional<std::size_t>> rows_;     // [output height, taps_down]
  std::vector<std::optional<std::size_t>> columns_;  // [output width, taps_across]
  ScaledIntegers weights_;
  ScaledIntegers bias_;
};

// Sums of term(number) over disjoint windows of an image of shape `input`.
template <typename Pool, typename Term>
std::vector<mpz_class> SumWindows(const Pool& pool, const SampleShape& input,
                                  const std::vector<mpz_class>& x, Term term) {
  const SampleShape output = OutputShape(pool, input);
  std::vector<mpz_class> sums(output.size());
  auto number = x.begin();
  for (std::size_t c = 0; c < input.channels; ++c) {
    for (std::size_t i = 0; i < input.height; ++i) {
      for (std::size_t j = 0; j < input.width; ++j) {
        const std::size_t row = c * output.height + i / pool.window_height;
        sums[row * output.width + j / pool.window_width] += term(*number++);
      }
    }
  }
  return sums;
}

struct ExactAveragePool {
  AveragePoolLayer pool;
  SampleShape input;
  ScaledIntegers scale;  // one number

  ScaledIntegers Apply(const ScaledIntegers& x) const {
    ScaledIntegers y{
        .numbers = SumWindows(pool, input, x.numbers, [](const mpz_class& value) { return value; }),
        .exponent = x.exponent + scale.exponent};
    for (mpz_class& sum : y.numbers) sum *= scale.numbers[0];
    return y;
  }
};

// The power of two in whose multiples square roots are counted.
constexpr int kRootExponent = -2048;

struct FixedPointL2NormPool {
  L2NormPoolLayer pool;
  SampleShape input;

  ScaledIntegers Apply(const ScaledIntegers& x) const {
    ScaledIntegers y{
        .numbers = SumWindows(pool, input, x.numbers,
                              [](const mpz_class& value) -> mpz_class { return value * value; }),
        .exponent = kRootExponent};
    // sqrt(sum 2^2e) = sqrt(sum 2^shift) 2^kRootExponent. Rounding down before the root does not
    // change what is left after it.
    const int shift = 2 * (x.exponent - kRootExponent);
    for (mpz_class& sum : y.numbers) {
      if (shift >= 0) {
        sum <<= static_cast<unsigned>(shift);
      } else {
        sum >>= static_cast<unsigned>(-shift);
      }
      sum = sqrt(sum);
    }
    return y;
  }
};

struct ExactSort {
  std::size_t group_size;
  SampleShape input;

  ScaledIntegers Apply(ScaledIntegers x) const {
    const std::size_t area = input.height * input.width;
    std::vector<mpz_class> group(group_size);
    for (std::size_t first = 0; first < input.channels; first += group_size) {
      for (std::size_t position = 0; position < area; ++position) {
        const auto number = [&](std::size_t k) -> mpz_class& {
          return x.numbers[(first + k) * area + position];
        };
        for (std::size_t k = 0; k < group_size; ++k) group[k].swap(number(k));
        std::sort(group.begin(), group.end());
        for (std::size_t k = 0; k < group_size; ++k) group[k].swap(number(k));
      }
    }
    return x;
  }
};

struct ExactAbs {
  ScaledIntegers Apply(ScaledIntegers x) const {
    for (mpz_class& number : x.numbers) number = abs(number);
    return x;
  }
};

// Calls visit(channel, a, b) for each number a of the lower half of the channels, and that of the
// upper half, b, at the same position.
template <typename Visit>
void ForEachPair(const SampleShape& input, std::vector<mpz_class>& numbers, Visit visit) {
  const std::size_t half = numbers.size() / 2;
  for (std::size_t k = 0; k < half; ++k) {
    visit(k / (input.height * input.width), numbers[k], numbers[half + k]);
  }
}

struct ExactMaxMin {
  SampleShape input;

  ScaledIntegers Apply(ScaledIntegers x) const {
    ForEachPair(input, x.numbers, [](std::size_t /*channel*/, mpz_class& a, mpz_class& b) {
      if (a < b) a.swap(b);
    });
    return x;
  }
};

struct ExactConcatenatedRelu {
  ScaledIntegers Apply(ScaledIntegers x) const {
    const std::size_t size = x.numbers.size();
    x.numbers.resize(2 * size);
    for (std::size_t k = 0; k < size; ++k) {
      if (sgn(x.numbers[k]) >= 0) continue;
      x.numbers[size + k].swap(x.numbers[k]);
      mpz_neg(x.numbers[size + k].get_mpz_t(), x.numbers[size + k].get_mpz_t());
    }
    return x;
  }
};

struct ExactPRelu {
  SampleShape input;
  ScaledIntegers slopes;  // [channels]

  ScaledIntegers Apply(ScaledIntegers x) const {
    const int product = x.exponent + slopes.exponent;
    const int exponent = std::min(product, x.exponent);
    for (std::size_t k = 0; k < x.numbers.size(); ++k) {
      mpz_class& number = x.numbers[k];
      const bool is_negative = sgn(number) < 0;
      if (is_negative) number *= slopes.numbers[k / (input.height * input.width)];
      number <<= static_cast<unsigned>((is_negative ? product : x.exponent) - exponent);
    }
    x.exponent = exponent;
    return x;
  }
};

struct ExactHouseholder {
  SampleShape input;
  ScaledIntegers directions;  // [channels / 2, 2]

  ScaledIntegers Apply(ScaledIntegers x) const {
    const int product = x.exponent + 2 * directions.exponent;  // of v <v, z>
    const int exponent = std::min(product, x.exponent);
    const auto shift = static_cast<unsigned>(product - exponent);
    const auto x_shift = static_cast<unsigned>(x.exponent - exponent);
    ForEachPair(input, x.numbers, [&](std::size_t channel, mpz_class& a, mpz_class& b) {
      const mpz_class& v0 = directions.numbers[2 * channel];
      const mpz_class& v1 = directions.numbers[2 * channel + 1];
      const mpz_class length = v0 * a + v1 * b;
      a <<= x_shift;
      b <<= x_shift;
      if (sgn(length) <= 0) return;
      a -= (v0 * length) << shift;
      b -= (v1 * length) << shift;
    });
    x.exponent = exponent;
    return x;
  }
};

class ExactConvexPotential {
 public:
  explicit ExactConvexPotential(const ConvexPotentialLayer& layer)
      : map_(std::visit([](const auto& inner) { return ToLinear(inner); }, layer.inner)),
        adjoint_(
            std::visit([](const auto& inner) { return ToLinear(Adjoint(inner)); }, layer.inner)) {}

  ScaledIntegers Apply(ScaledIntegers x) const {
    const auto apply = [](const ExactLinear& map, const ScaledIntegers& to) {
      return std::visit([&](const auto& linear) { return linear.Apply(to); }, map);
    };
    ScaledIntegers hidden = apply(map_, x);
    for (mpz_class& number : hidden.numbers) {
      if (sgn(number) < 0) number = 0;
    }
    const ScaledIntegers step = apply(adjoint_, hidden);
    const int exponent = std::min(x.exponent, step.exponent);
    for (std::size_t k = 0; k < x.numbers.size(); ++k) {
      x.numbers[k] <<= static_cast<unsigned>(x.exponent - exponent);
      x.numbers[k] -= mpz_class(step.numbers[k] << static_cast<unsigned>(step.exponent - exponent));
    }
    x.exponent = exponent;
    return x;
  }

 private:
  using ExactLinear = std::variant<ExactDense, ExactConvolution>;

  static ExactLinear ToLinear(const DenseLayer& dense) { return ToExactDense(dense); }
  static ExactLinear ToLinear(const ConvolutionLayer& layer) { return ExactConvolution(layer); }

  ExactLinear map_;
  ExactLinear adjoint_;
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

using ExactLayer =
    std::variant<ExactDense, ExactConvolution, ExactAveragePool, FixedPointL2NormPool, ExactSort,
                 ExactAbs, ExactMaxMin, ExactConcatenatedRelu, ExactPRelu, ExactHouseholder,
                 ExactConvexPotential, ExactUpSampling>;

// Nothing for a layer that only renames numbers.
std::optional<ExactLayer> ToExact(const FrozenLayer& layer, const SampleShape& input) {
  using Result = std::optional<ExactLayer>;
  return std::visit(
      Overloaded{
          [](const FlattenLayer&) { return Result(); },
          [](const DenseLayer& dense) { return Result(ToExactDense(dense)); },
          [](const ConvolutionLayer& convolution) { return Result(ExactConvolution(convolution)); },
          [&](const AveragePoolLayer& pool) {
            return Result(ExactAveragePool{
                .pool = pool, .input = input, .scale = ToIntegers({&pool.scale, 1})});
          },
          [&](const L2NormPoolLayer& pool) {
            return Result(FixedPointL2NormPool{.pool = pool, .input = input});
          },
          [&](const GroupSortLayer& sort) {
            return Result(ExactSort{.group_size = sort.group_size, .input = input});
          },
          [](const AbsLayer&) { return Result(ExactAbs()); },
          [&](const UpSamplingLayer& up) {
            return Result(ExactUpSampling{up, input});
          },
          [&](const MaxMinLayer&) { return Result(ExactMaxMin{input}); },
          [](const ConcatenatedReluLayer&) { return Result(ExactConcatenatedRelu()); },
          [&](const PReluLayer& prelu) {
            return Result(ExactPRelu{.input = input, .slopes = ToIntegers(prelu.slopes)});
          },
          [&](const HouseholderLayer& householder) {
            return Result(
                ExactHouseholder{.input = input, .directions = ToIntegers(householder.directions)});
          },
          [](const ConvexPotentialLayer& potential) {
            return Result(ExactConvexPotential(potential));
          },
      },
      layer);
}

}  // namespace

struct ExactNetwork::Impl {
  std::vector<ExactLayer> layers;
  std::size_t prototypes_per_class = 1;
};

ExactNetwork::ExactNetwork(const FrozenNetwork& network) {
  auto impl = std::make_unique<Impl>();
  impl->prototypes_per_class = network.prototypes_per_class;
  SampleShape shape = network.input_shape;
  for (const FrozenLayer& layer : network.layers) {
    if (auto exact = ToExact(layer, shape)) impl->layers.push_back(*std::move(exact));
    shape = OutputShape(layer, shape);
  }
  impl_ = std::move(impl);
}

ExactNetwork::~ExactNetwork() = default;

std::size_t ExactNetwork::ClassOf(std::span<const float> input) const {
  ScaledIntegers x = ToIntegers(input);
  for (const ExactLayer& layer : impl_->layers) {
    x = std::visit([&](const auto& exact) { return exact.Apply(std::move(x)); }, layer);
  }
  const std::vector<mpz_class>& scores = x.numbers;
  if (scores.size() == 1) return sgn(scores[0]) >= 0 ? 0 : 1;
  // The first of the largest is of the first class among those that have them.
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  return static_cast<std::size_t>(best) / impl_->prototypes_per_class;
}

}  // namespace lipserve
