// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it turns the linear part T of a layer into the layer that computes
// T^T.
#ifndef MODEL_NETWORK_ADJOINT_H_
#define MODEL_NETWORK_ADJOINT_H_

#include "model/network/frozen_network.h"

namespace lipserve {

// Returns the layer y = T^T x without bias, where T is the linear part of `layer`. It claims the
// same norm as `layer`.
DenseLayer Adjoint(const DenseLayer& layer);

// The same for a convolution. The result is a convolution whose kernel is reversed along both axes,
// with input and output channels exchanged. Derivation: with taps d apart, output q of T reads
// position q + u d - before through tap u. So T^T adds output p - u d + before to position p. With
// u' = taps - 1 - u, that is output p + u' d - (d (taps - 1) - before).
//
// Requires: KeepsPositions(layer).
ConvolutionLayer Adjoint(const ConvolutionLayer& layer);

// Whether output positions coincide with input positions, so that T^T is a convolution of the same
// kind: stride 1, as many positions out as in, zeros or the opposite side outside the image.
bool KeepsPositions(const ConvolutionLayer& layer);

}  // namespace lipserve

#endif  // MODEL_NETWORK_ADJOINT_H_
