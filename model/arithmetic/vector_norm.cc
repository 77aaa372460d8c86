// SPDX-License-Identifier: Apache-2.0
#include "model/arithmetic/vector_norm.h"

#include <array>
#include <cmath>
#include <cstddef>

namespace lipserve {
namespace {

// Squares that underflow lose at most 2^22 * 2^-1022 in all, far below the square of the tail.
// Magnitudes of float32 numbers do not underflow: Norm1Bound does not need the tail.
constexpr double kUnderflowTail = 0x1p-400;

// Covers the roundings of a sum of `size` terms and of its root. A term passes at most size + 5 of
// them: its product, the additions of its lane and of the lanes. The computed sum is therefore at
// least (1 - (size + 5) u) of the exact one, u = 2^-53; the root adds one. Twice that is exact
// here: a multiple of 2^-52 below 2^-29. It holds for any order of additions; the eight lanes, and
// the root, would need less.
Upper RoundingFactor(std::size_t size) {
  return Upper(1.0 + static_cast<double>(size + 8) * 0x1p-52);
}

// Eight independent sums, so that additions overlap in the processor's pipeline.
template <typename Number, typename Term>
double Sum(std::span<const Number> values, Term term) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += term(static_cast<double>(values[i + lane]));
    }
  }
  for (; i < values.size(); ++i) sums[0] += term(static_cast<double>(values[i]));
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

template <typename Number>
Upper EuclideanNormBound(std::span<const Number> values) {
  const double squares = Sum(values, [](double v) { return v * v; });
  // Upper turns NaN (a NaN value) into +infinity; infinite squares stay infinite.
  return Upper(std::sqrt(squares)) * RoundingFactor(values.size()) + Upper(kUnderflowTail);
}

}  // namespace

Upper NormBound(std::span<const float> values) { return EuclideanNormBound(values); }
Upper NormBound(std::span<const double> values) { return EuclideanNormBound(values); }

Upper Norm1Bound(std::span<const float> values) {
  return Upper(Sum(values, [](double v) { return std::fabs(v); })) * RoundingFactor(values.size()) +
         Upper(kUnderflowTail);
}

}  // namespace lipserve
