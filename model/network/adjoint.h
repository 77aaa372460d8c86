// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it turns the linear part T of a layer into the layer that computes
// T^T.
#ifndef MODEL_NETWORK_ADJOINT_H_
#define MODEL_NETWORK_ADJOINT_H_

#include "model/network/frozen_network.h"

namespace lipserve {

// The layer y = T^T x, without bias, of the linear part T of `layer`; its claim is that of `layer`.
DenseLayer Adjoint(const DenseLayer& layer);

// The same of a convolution: one with the kernel turned round in both directions and in its
// channels. For a window of taps that are d apart, an output q of T reads position q + u d - before
// through tap u, so T^T brings output p - u d + before back to p: with u' = taps - 1 - u that is
// p + u' d - (d (taps - 1) - before).
//
// Requires: KeepsPositions(layer).
ConvolutionLayer Adjoint(const ConvolutionLayer& layer);

// Whether a convolution's outputs lie where its inputs do, so that T^T is a convolution of the same
// kind: stride 1, as many positions out as in, zeros or the opposite side outside the image.
bool KeepsPositions(const ConvolutionLayer& layer);

}  // namespace lipserve

#endif  // MODEL_NETWORK_ADJOINT_H_
