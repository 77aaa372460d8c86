// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_network.h"

#include <gmpxx.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <variant>
#include <vector>

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

struct ExactDense {
  std::size_t inputs;
  std::size_t outputs;
  ScaledIntegers weights;  // [outputs, inputs]
  ScaledIntegers bias;     // [outputs], or empty

  ScaledIntegers Apply(const ScaledIntegers& x) const {
    ScaledIntegers y;
    const int product_exponent = weights.exponent + x.exponent;
    y.exponent =
        bias.numbers.empty() ? product_exponent : std::min(product_exponent, bias.exponent);
    y.numbers.resize(outputs);
    for (std::size_t o = 0; o < outputs; ++o) {
      mpz_class& sum = y.numbers[o];
      for (std::size_t k = 0; k < inputs; ++k) {
        mpz_addmul(sum.get_mpz_t(), weights.numbers[o * inputs + k].get_mpz_t(),
                   x.numbers[k].get_mpz_t());
      }
      sum <<= static_cast<unsigned>(product_exponent - y.exponent);
      if (bias.numbers.empty()) continue;
      sum += mpz_class(bias.numbers[o] << static_cast<unsigned>(bias.exponent - y.exponent));
    }
    return y;
  }
};

struct ExactSort {
  std::size_t group_size;
};

}  // namespace

struct ExactNetwork::Impl {
  std::vector<std::variant<ExactDense, ExactSort>> layers;
};

ExactNetwork::ExactNetwork(const FrozenNetwork& network) {
  auto impl = std::make_unique<Impl>();
  for (const FrozenLayer& layer : network.layers) {
    if (const auto* dense = std::get_if<DenseLayer>(&layer)) {
      impl->layers.emplace_back(ExactDense{.inputs = dense->inputs,
                                           .outputs = dense->outputs,
                                           .weights = ToIntegers(dense->weights),
                                           .bias = ToIntegers(dense->bias)});
    } else if (const auto* sort = std::get_if<GroupSortLayer>(&layer)) {
      impl->layers.emplace_back(ExactSort{.group_size = sort->group_size});
    }
  }
  impl_ = std::move(impl);
}

ExactNetwork::~ExactNetwork() = default;

std::size_t ExactNetwork::ClassOf(std::span<const float> input) const {
  ScaledIntegers x = ToIntegers(input);
  for (const auto& layer : impl_->layers) {
    if (const auto* dense = std::get_if<ExactDense>(&layer)) {
      x = dense->Apply(x);
      continue;
    }
    const auto group = static_cast<std::ptrdiff_t>(std::get<ExactSort>(layer).group_size);
    for (auto first = x.numbers.begin(); first != x.numbers.end(); first += group) {
      std::sort(first, first + group);
    }
  }
  const std::vector<mpz_class>& scores = x.numbers;
  if (scores.size() == 1) return sgn(scores[0]) >= 0 ? 0 : 1;
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

}  // namespace lipserve
