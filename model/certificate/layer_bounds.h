// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: the constants of the proof for one layer, each computed from the
// frozen weights and rounded up.
#ifndef MODEL_CERTIFICATE_LAYER_BOUNDS_H_
#define MODEL_CERTIFICATE_LAYER_BOUNDS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "model/arithmetic/outward_rounding.h"
#include "model/foundation/stop_check.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// Upper bounds of one rounding layer: y = T x + b with a linear T (dense, convolution, average
// pool), or a layer that has no linear form but whose rounding errors obey the same formula, with
// numbers in the places of T's norms that README.md derives: the L2-norm pool (Lemma 4), PReLU and
// Householder (Lemma 8), the convex potential (Lemma 9), sums, clips and max pools (Lemma 11). A
// sum reads two vectors, and ||x|| stands for the sum of their norms.
//
// |T| multiplies by the magnitudes of the weights and t_i is one of its rows. Where padding lets
// several taps of a window read one pixel, their magnitudes add, because the executed arithmetic
// multiplies each tap separately.
struct LayerBounds {
  std::size_t fan_in = 0;   // products summed into one output
  std::size_t outputs = 0;  // numbers of y
  Upper operator_norm;      // ||T||_2, the Lipschitz constant
  Upper absolute_norm;      // || |T| ||_2
  Upper bias_norm;          // ||b||_2, over all outputs
  Upper largest_row_norm;   // max_i ||t_i||_2, or what else bounds partial sums over ||x||_2
  Upper largest_row_norm1;  // max_i ||t_i||_1
  Upper largest_bias;       // max_i |b_i|
  // Whether every arithmetic computes y exactly from x; then fan_in means nothing.
  bool is_exact = false;
};

// The bounds of a layer that reads samples of shape `input`. Trusts the layer's claimed operator
// norm, so call CheckClaim first. Once `stop` says so, looser bounds.
//
// Requires: a layer of a network that CheckNetwork accepts; not OnlyMovesNumbers(layer).
LayerBounds BoundsOf(const FrozenLayer& layer, const SampleShape& input,
                     const StopCheck& stop = {});

// Sets the layer's claim to the smallest bound of its operator norm that a search proves. Does
// nothing for layers whose norm follows from a formula.
//
// Requires: a layer of a network that CheckNetwork accepts.
// Errors:   those of BoundOperatorNorm and BoundConvolutionNorm.
absl::Status ClaimOperatorNorm(FrozenLayer& layer);

// Proves what `layer` claims about its operator norm; OK if it claims nothing.
//
// Requires: a layer of a network that CheckNetwork accepts.
// Errors:   InvalidArgument if the claim is not confirmed or the proof would cost too much;
//           Cancelled once `stop` says so.
absl::Status CheckClaim(const FrozenLayer& layer, const StopCheck& stop = {});

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_LAYER_BOUNDS_H_
