// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/vector_norm.h"

#include <array>
#include <cmath>
#include <cstddef>

namespace lipserve {
namespace {

// At most 2^22 products and sums: relative error at most gamma'_{2^22 + 2} < 2^-30. Squares that
// underflow lose at most 2^22 * 2^-1022 in all, far below the square of the tail.
constexpr double kInflation = 1.0 + 0x1p-29;
constexpr double kUnderflowTail = 0x1p-400;

// Eight independent sums, so that the processor need not wait for one addition per value.
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
  return Upper(std::sqrt(squares)) * Upper(kInflation) + Upper(kUnderflowTail);
}

}  // namespace

Upper NormBound(std::span<const float> values) { return EuclideanNormBound(values); }
Upper NormBound(std::span<const double> values) { return EuclideanNormBound(values); }

Upper Norm1Bound(std::span<const float> values) {
  return Upper(Sum(values, [](double v) { return std::fabs(v); })) * Upper(kInflation) +
         Upper(kUnderflowTail);
}

}  // namespace lipserve
