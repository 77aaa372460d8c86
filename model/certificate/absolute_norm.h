// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: bounds of rounding errors are proportional to these norms.
//
// Proven upper bounds of || |T| ||_2, where |T| multiplies by the magnitudes of the weights. By
// Collatz and Wielandt, ||S||_2^2 <= max_j (S^T S v)_j / v_j for a nonnegative matrix S and every
// positive vector v; a few power iterations find a good v. Proof: certificate/README.md, Lemma 2.
#ifndef MODEL_CERTIFICATE_ABSOLUTE_NORM_H_
#define MODEL_CERTIFICATE_ABSOLUTE_NORM_H_

#include "model/arithmetic/outward_rounding.h"
#include "model/foundation/stop_check.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// A convolution with more products, or a matrix with more entries, than this gets a bound that is
// looser and costs nothing.
inline constexpr double kMostProductsOfAbsoluteNorm = 0x1p32;

// Apart from rounding, the bound is never above ||W||_F.
//
// Once `stop` says so, a looser bound that costs nothing.
//
// Requires: every weight is zero or normal.
Upper AbsoluteNormBound(const DenseLayer& layer, const StopCheck& stop = {});

// Where several taps of a window read one pixel, their magnitudes add. This bounds the executed
// arithmetic, which multiplies each tap separately.
//
// Once `stop` says so, a looser bound.
//
// Requires: every weight is zero or normal; valid paddings.
Upper AbsoluteNormBound(const ConvolutionLayer& layer, const StopCheck& stop = {});

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_ABSOLUTE_NORM_H_
