// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_activation.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace lipserve {
namespace {

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

struct ExactClip {
  ScaledIntegers limits;  // low, high

  ScaledIntegers Apply(ScaledIntegers x) const {
    const int exponent = std::min(x.exponent, limits.exponent);
    const auto limit_shift = static_cast<unsigned>(limits.exponent - exponent);
    const auto shift = static_cast<unsigned>(x.exponent - exponent);
    const mpz_class low = limits.numbers[0] << limit_shift;
    const mpz_class high = limits.numbers[1] << limit_shift;
    for (mpz_class& number : x.numbers) {
      number <<= shift;
      if (number < low) number = low;
      if (number > high) number = high;
    }
    x.exponent = exponent;
    return x;
  }
};

}  // namespace

ExactLayer ToExact(const GroupSortLayer& layer, const SampleShape& input) {
  return [exact = ExactSort{.group_size = layer.group_size, .input = input}](
             ScaledIntegers x, ExactRun&) { return exact.Apply(std::move(x)); };
}

ExactLayer ToExact(const AbsLayer& /*layer*/, const SampleShape& /*input*/) {
  return [exact = ExactAbs()](ScaledIntegers x, ExactRun&) { return exact.Apply(std::move(x)); };
}

ExactLayer ToExact(const MaxMinLayer& /*layer*/, const SampleShape& input) {
  return [exact = ExactMaxMin{input}](ScaledIntegers x, ExactRun&) {
    return exact.Apply(std::move(x));
  };
}

ExactLayer ToExact(const ConcatenatedReluLayer& /*layer*/, const SampleShape& /*input*/) {
  return [exact = ExactConcatenatedRelu()](ScaledIntegers x, ExactRun&) {
    return exact.Apply(std::move(x));
  };
}

ExactLayer ToExact(const PReluLayer& layer, const SampleShape& input) {
  return [exact = ExactPRelu{.input = input, .slopes = ToIntegers(layer.slopes)}](
             ScaledIntegers x, ExactRun&) { return exact.Apply(std::move(x)); };
}

ExactLayer ToExact(const HouseholderLayer& layer, const SampleShape& input) {
  return [exact = ExactHouseholder{.input = input, .directions = ToIntegers(layer.directions)}](
             ScaledIntegers x, ExactRun&) { return exact.Apply(std::move(x)); };
}

ExactLayer ToExact(const ClipLayer& layer, const SampleShape& /*input*/) {
  const float limits[] = {layer.low, layer.high};
  return [exact = ExactClip{ToIntegers(limits)}](ScaledIntegers x, ExactRun&) {
    return exact.Apply(std::move(x));
  };
}

}  // namespace lipserve
