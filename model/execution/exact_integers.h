// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it computes the numbers that decide a class where float64 cannot.
//
// Float32 numbers as integers times powers of two, and layers that compute with them
// (exact_network.h).
#ifndef MODEL_EXECUTION_EXACT_INTEGERS_H_
#define MODEL_EXECUTION_EXACT_INTEGERS_H_

#include <gmpxx.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "model/foundation/stop_check.h"

namespace lipserve {

// numbers[i] * 2^exponent.
struct ScaledIntegers {
  std::vector<mpz_class> numbers;
  int exponent = 0;
};

// The most bits that a magnitude has.
std::size_t LargestSize(std::span<const mpz_class> numbers);

// `count` numbers were rounded down, each by less than 2^exponent.
struct ExactRounding {
  std::size_t value = 0;  // of the frozen network: 0 is its input
  std::size_t count = 0;
  int exponent = 0;
};

// One evaluation of a network.
struct ExactRun {
  // Bits that the largest number keeps between layers; none: all of them.
  std::optional<std::size_t> precision;
  // Asked between layers, and now and then within linear ones. A layer that it stops leaves numbers
  // without a meaning.
  const StopCheck& stop;
  std::size_t value = 0;                      // that is rounded or made
  std::vector<ExactRounding> roundings = {};  // all that made a number differ from the real one

  void AddRounding(std::size_t count, int exponent) {
    if (count > 0) roundings.push_back({.value = value, .count = count, .exponent = exponent});
  }
};

// x + z, exact. Requires: as many numbers in both.
ScaledIntegers Sum(ScaledIntegers x, ScaledIntegers z);

// The function of a layer on an image [C, H, W]. Concurrent calls are safe.
using ExactLayer = std::function<ScaledIntegers(ScaledIntegers, ExactRun&)>;

// Exact, in multiples of the last bit that any of the numbers has. Requires: finite numbers.
ScaledIntegers ToIntegers(std::span<const float> values);

// Rounds the numbers down, to multiples of one power of two, so that the largest keeps the bits of
// the run's precision. Records how many numbers that changes.
void RoundDown(ScaledIntegers& x, ExactRun& run);

}  // namespace lipserve

#endif  // MODEL_EXECUTION_EXACT_INTEGERS_H_
