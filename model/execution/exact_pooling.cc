// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_pooling.h"

#include <algorithm>
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

struct ExactMaxPool {
  MaxPoolLayer pool;
  SampleShape input;

  ScaledIntegers Apply(const ScaledIntegers& x) const {
    const SampleShape output = OutputShape(pool, input);
    ScaledIntegers y{.numbers = std::vector<mpz_class>(output.size()), .exponent = x.exponent};
    for (std::size_t k = 0; k < y.numbers.size(); ++k) {
      const std::size_t channel = k / (output.height * output.width);
      const mpz_class* largest = nullptr;
      for (std::size_t tap = 0; tap < pool.vertical.size * pool.horizontal.size; ++tap) {
        const auto row =
            SourcePosition(pool.vertical, PaddingMode::kZero, input.height,
                           k / output.width % output.height, tap / pool.horizontal.size);
        const auto column = SourcePosition(pool.horizontal, PaddingMode::kZero, input.width,
                                           k % output.width, tap % pool.horizontal.size);
        if (!row || !column) continue;
        const mpz_class& number =
            x.numbers[(channel * input.height + *row) * input.width + *column];
        if (largest == nullptr || number > *largest) largest = &number;
      }
      y.numbers[k] = *largest;
    }
    return y;
  }
};

// Square roots are rounded down to multiples of a power of two that is at least this one.
constexpr int kLeastRootExponent = -2048;

struct FixedPointL2NormPool {
  L2NormPoolLayer pool;
  SampleShape input;

  ScaledIntegers Apply(const ScaledIntegers& x, ExactRun& run) const {
    ScaledIntegers y{
        .numbers = SumWindows(pool, input, x.numbers,
                              [](const mpz_class& value) -> mpz_class { return value * value; }),
        .exponent = kLeastRootExponent};
    if (run.precision) {
      // So that the largest root keeps the run's precision, and a few bits.
      const int root_size = static_cast<int>(LargestSize(y.numbers) / 2) + 1;
      y.exponent = std::max(kLeastRootExponent,
                            x.exponent + root_size - static_cast<int>(*run.precision) - 8);
    }
    // sqrt(sum 2^2e) = sqrt(sum 2^shift) 2^y.exponent. Rounding down before the root does not
    // change what is left after it.
    const int shift = 2 * (x.exponent - y.exponent);
    std::size_t rounded = 0;
    for (mpz_class& sum : y.numbers) {
      if (!ReplaceByRoot(sum, shift)) ++rounded;
    }
    run.AddRounding(rounded, y.exponent);
    return y;
  }

  // sum <- sqrt(sum 2^shift), rounded down. Returns whether that is exact.
  static bool ReplaceByRoot(mpz_class& sum, int shift) {
    bool is_exact = true;
    if (shift >= 0) {
      sum <<= static_cast<unsigned>(shift);
    } else {
      is_exact = mpz_divisible_2exp_p(sum.get_mpz_t(), static_cast<unsigned>(-shift)) != 0;
      sum >>= static_cast<unsigned>(-shift);
    }
    mpz_class rest;
    mpz_sqrtrem(sum.get_mpz_t(), rest.get_mpz_t(), sum.get_mpz_t());
    return is_exact && sgn(rest) == 0;
  }
};

}  // namespace

ExactLayer ToExact(const AveragePoolLayer& layer, const SampleShape& input) {
  const ExactAveragePool exact{
      .pool = layer, .input = input, .scale = ToIntegers({&layer.scale, 1})};
  return [exact](const ScaledIntegers& x, ExactRun&) { return exact.Apply(x); };
}

ExactLayer ToExact(const L2NormPoolLayer& layer, const SampleShape& input) {
  const FixedPointL2NormPool exact{.pool = layer, .input = input};
  return [exact](const ScaledIntegers& x, ExactRun& run) { return exact.Apply(x, run); };
}

ExactLayer ToExact(const MaxPoolLayer& layer, const SampleShape& input) {
  const ExactMaxPool exact{.pool = layer, .input = input};
  return [exact](const ScaledIntegers& x, ExactRun&) { return exact.Apply(x); };
}

}  // namespace lipserve
