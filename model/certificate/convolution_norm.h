// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: radii are divided by these norms.
//
// Proven upper bounds of the operator norm of a convolution, the largest singular value of its
// linear part from images to images: borders, stride, dilation and groups included. Not the norm of
// the flattened kernel, nor that of a circular convolution of the image's size: both can be below
// it.
#ifndef MODEL_CERTIFICATE_CONVOLUTION_NORM_H_
#define MODEL_CERTIFICATE_CONVOLUTION_NORM_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/certificate/norm_proof.h"
#include "model/network/frozen_network.h"

namespace lipserve {

enum class ConvolutionNormMethod {
  // A banded factorisation of T^T T or T T^T (convolution_gram.h): exact to about 1e-10.
  kBandedGram,
  // Blocks of a circular convolution on a torus (circular_embedding.h). Exact where circular
  // padding makes the image a torus; else above the norm, by 0.2 % to 0.8 % for 3 x 3 kernels on
  // 28 x 28.
  kCircularEmbedding,
  // The norm of the kernel as an [output_channels, fan_in] matrix, times the square root of the
  // largest number of reads of a pixel: up to a kernel's width too large.
  kFlatKernel,
};

// "banded Gram matrix", ...
const char* MethodName(ConvolutionNormMethod method);

// Returns the first of these whose cost is within the limits: the embedding, if it is exact; the
// banded Gram matrix; the embedding; the flat kernel. The choice depends on the layer alone, so it
// is the same on every machine.
//
// Requires: a layer that CheckNetwork accepts.
// Errors:   InvalidArgument naming the costs if none is.
absl::StatusOr<ConvolutionNormMethod> ChooseConvolutionNormMethod(const ConvolutionLayer& layer,
                                                                  const ProofLimits& limits = {});

// A check of a claim begins with an estimate from below, which refuses a claim that is far too low
// without a factorisation. It proves nothing, so a layer with more products than this goes without.
inline constexpr double kMostProductsToLookFromBelow = 0x1p26;

// Whether a check of the layer's claim begins with that estimate.
bool LooksFromBelow(const ConvolutionLayer& layer);

// The smallest bound that a search finds with the chosen method. Costs some three factorisations
// and 120 steps of Lanczos.
//
// Guarantee: result >= (1 + 2^-36) ||T||_2, and ProveConvolutionNormAtMost(layer, result) is OK.
// Requires:  a layer that CheckNetwork accepts.
// Errors:    InvalidArgument if every method exceeds the limits; Internal if the bound is below the
//            estimate of the norm from below, or above 8 times that and the proof fails, which
//            would mean a bug or a hardware fault.
absl::StatusOr<double> BoundConvolutionNorm(const ConvolutionLayer& layer,
                                            const ProofLimits& limits = {});

// Proves ||T||_2 <= claim, with one factorisation of the chosen method.
//
// Requires: a layer that CheckNetwork accepts.
// Errors:   InvalidArgument if that does not prove it, or every method exceeds the limits;
//           Cancelled once `limits.stop` says so.
absl::Status ProveConvolutionNormAtMost(const ConvolutionLayer& layer, double claim,
                                        const ProofLimits& limits = {});

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_CONVOLUTION_NORM_H_
