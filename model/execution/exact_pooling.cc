// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_pooling.h"

#include <cstddef>
#include <vector>

namespace lipserve {
namespace {

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

}  // namespace

ExactLayer ToExact(const AveragePoolLayer& layer, const SampleShape& input) {
  const ExactAveragePool exact{
      .pool = layer, .input = input, .scale = ToIntegers({&layer.scale, 1})};
  return [exact](const ScaledIntegers& x) { return exact.Apply(x); };
}

ExactLayer ToExact(const L2NormPoolLayer& layer, const SampleShape& input) {
  const FixedPointL2NormPool exact{.pool = layer, .input = input};
  return [exact](const ScaledIntegers& x) { return exact.Apply(x); };
}

}  // namespace lipserve
