// SPDX-License-Identifier: Apache-2.0
// Quadruple precision, 113 bits, for oracles: products of two float64 numbers are exact in it.
#ifndef TESTS_MODEL_QUAD_H_
#define TESTS_MODEL_QUAD_H_

// Promotions to it are exact and meant; clang's -Wdouble-promotion counts them as accidents.
#ifdef __clang__
#pragma clang diagnostic ignored "-Wdouble-promotion"
#endif

namespace lipserve {

__extension__ using Quad = __float128;

}  // namespace lipserve

#endif  // TESTS_MODEL_QUAD_H_
