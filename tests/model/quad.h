// SPDX-License-Identifier: Apache-2.0
// Quadruple precision, 113 bits, for oracles: products of two float64 numbers are exact in it.
#ifndef TESTS_MODEL_QUAD_H_
#define TESTS_MODEL_QUAD_H_

#include <cmath>

// Promotions to it are exact and meant; clang's -Wdouble-promotion counts them as accidents.
#ifdef __clang__
#pragma clang diagnostic ignored "-Wdouble-promotion"
#endif

namespace lipserve {

__extension__ using Quad = __float128;

inline Quad QuadAbs(Quad x) { return x < 0 ? -x : x; }

// Newton's iteration from the float64 root: two steps give full precision.
//
// Requires: x is 0 or within the range of float64.
inline Quad QuadSqrt(Quad x) {
  if (x <= 0) return 0;
  Quad root = std::sqrt(static_cast<double>(x));
  for (int step = 0; step < 4; ++step) root = (root + x / root) / 2;
  return root;
}

}  // namespace lipserve

#endif  // TESTS_MODEL_QUAD_H_
