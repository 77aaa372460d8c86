// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: pools compute numbers that classes and margins depend on.
//
// Pools of one channels-last sample in float32 and float64 (frozen_network.h defines them). Each
// result is computed from its window alone, in the order of its rows, whatever the batch.
//
// Shapes:    x: `input` as [H, W, C]; y: OutputShape(pool, input) as [H, W, C]; no overlap.
// Guarantee: with n numbers in a window and T the linear map (for the L2-norm pool, the norm of
//            the window), |y - exact| <= gamma_{n+1} (|T| |x|), plus less than the smallest normal
//            number where a result is below it. In float32 the sums are of float64 and rounded
//            once, so no sum overflows that the result does not; in float64 the L2-norm pool scales
//            by powers of two, so no square overflows or is lost. The max pool is exact.
// Requires:  finite x; in float64, no sum or norm of a window beyond 2^1023.
// Threads:   concurrent calls are safe if their y do not overlap.
#ifndef MODEL_EXECUTION_POOLING_H_
#define MODEL_EXECUTION_POOLING_H_

#include "model/network/frozen_network.h"

namespace lipserve {

void AveragePool(const AveragePoolLayer& pool, const SampleShape& input, const float* x, float* y);
void AveragePool(const AveragePoolLayer& pool, const SampleShape& input, const double* x,
                 double* y);

void L2NormPool(const L2NormPoolLayer& pool, const SampleShape& input, const float* x, float* y);
void L2NormPool(const L2NormPoolLayer& pool, const SampleShape& input, const double* x, double* y);

template <typename Number>
void MaxPool(const MaxPoolLayer& pool, const SampleShape& input, const Number* x, Number* y);

}  // namespace lipserve

#endif  // MODEL_EXECUTION_POOLING_H_
