// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_integers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lipserve {
namespace {

constexpr int kFractionBits = 24;

// The power of two of the last bit of a float: 0.m * 2^e has its last bit at e - 24.
int LastBitExponent(float value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  return exponent - kFractionBits;
}

}  // namespace

std::size_t LargestSize(std::span<const mpz_class> numbers) {
  std::size_t largest = 0;
  for (const mpz_class& number : numbers) {
    if (sgn(number) != 0) largest = std::max(largest, mpz_sizeinbase(number.get_mpz_t(), 2));
  }
  return largest;
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

ScaledIntegers Sum(ScaledIntegers x, ScaledIntegers z) {
  ScaledIntegers& coarse = x.exponent < z.exponent ? z : x;
  ScaledIntegers& fine = x.exponent < z.exponent ? x : z;
  const auto shift = static_cast<unsigned>(coarse.exponent - fine.exponent);
  for (std::size_t k = 0; k < fine.numbers.size(); ++k) {
    coarse.numbers[k] <<= shift;
    fine.numbers[k] += coarse.numbers[k];
  }
  return std::move(fine);
}

void RoundDown(ScaledIntegers& x, ExactRun& run) {
  if (!run.precision) return;
  const std::size_t size = LargestSize(x.numbers);
  if (size <= *run.precision) return;
  const std::size_t shift = size - *run.precision;
  std::size_t rounded = 0;
  for (mpz_class& number : x.numbers) {
    if (mpz_divisible_2exp_p(number.get_mpz_t(), shift) == 0) ++rounded;
    mpz_fdiv_q_2exp(number.get_mpz_t(), number.get_mpz_t(), shift);
  }
  x.exponent += static_cast<int>(shift);
  run.AddRounding(rounded, x.exponent);
}

}  // namespace lipserve
