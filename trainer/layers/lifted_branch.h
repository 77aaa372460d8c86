// SPDX-License-Identifier: Apache-2.0
// Converts a residual block to a chain of plain layers, as a frozen network requires. The branch
// and the skipped input become channels side by side.
//
//   y = a x + (1 - a) f(x),   f = A_m s_(m-1) ... s_1 A_1 with affine A and activations s
//
//   open    (sqrt(1-a) A_1 x, sqrt(a) x)
//   then    s_i on the branch's channels, nothing on the others; (A_i b, x)
//   close   sqrt(1-a) A_m b + sqrt(a) x
//
// which is the same function, because the activations commute with positive factors (biases are
// scaled along). Every norm is at most 1 if the branch's are: ||open||^2 <= (1-a) ||A_1||^2 + a,
// the layers between are block-diagonal, ||close||^2 <= (1-a) ||A_m||^2 + a. So the proven bound of
// the chain is 1, as tight as that of the block itself.
//
// An activation of pairs of channels becomes the equivalent Householder layer: MaxMin and
// GroupSort2 reflect at (-1, 1) and (1, -1), and the direction 0 leaves the other channels alone.
//
// Source: ours. Blocks: deel-torchlip's LipResidual, orthogonium's AdditiveResidual.
#ifndef TRAINER_LAYERS_LIFTED_BRANCH_H_
#define TRAINER_LAYERS_LIFTED_BRANCH_H_

#include <span>
#include <vector>

#include "model/network/frozen_network.h"

namespace lipserve::trainer {

// Whether a frozen layer may be part of a branch that reads `input`: dense of a vector, a
// convolution with a tap on each position itself and stride 1 that keeps the image's height and
// width, Abs, PReLU, MaxMin, Householder, GroupSort2.
bool CanBeLifted(const FrozenLayer& layer, const SampleShape& input);

// Whether a layer of a branch is affine; the others are activations.
bool IsAffine(const FrozenLayer& layer);

// The chain of the block with branch `f` and 0 < a < 1, weights rounded to float32. Claims are left
// 0.
//
// Requires: layers that CanBeLifted, the first of them affine, none of them two activations in a
//           row; f ends in the shape that it starts with, `input`.
std::vector<FrozenLayer> LiftBranch(std::span<const FrozenLayer> f, const SampleShape& input,
                                    double a);

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_LIFTED_BRANCH_H_
