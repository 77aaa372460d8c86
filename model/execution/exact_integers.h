// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it computes the numbers that decide a class where float64 cannot.
//
// Float32 numbers as integers times powers of two, and layers that compute with them
// (exact_network.h).
#ifndef MODEL_EXECUTION_EXACT_INTEGERS_H_
#define MODEL_EXECUTION_EXACT_INTEGERS_H_

#include <gmpxx.h>

#include <functional>
#include <span>
#include <vector>

namespace lipserve {

// numbers[i] * 2^exponent.
struct ScaledIntegers {
  std::vector<mpz_class> numbers;
  int exponent = 0;
};

// The function of a layer on an image [C, H, W]. Concurrent calls are safe.
using ExactLayer = std::function<ScaledIntegers(ScaledIntegers)>;

// Exact, in multiples of the last bit that any of the numbers has. Requires: finite numbers.
ScaledIntegers ToIntegers(std::span<const float> values);

}  // namespace lipserve

#endif  // MODEL_EXECUTION_EXACT_INTEGERS_H_
