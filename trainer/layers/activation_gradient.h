// SPDX-License-Identifier: Apache-2.0
// The backward pass of activations (forward: model/execution/activation.h), for training and for
// attacks on a frozen model.
#ifndef TRAINER_LAYERS_ACTIVATION_GRADIENT_H_
#define TRAINER_LAYERS_ACTIVATION_GRADIENT_H_

#include <cstddef>

#include "model/network/frozen_network.h"

namespace lipserve::trainer {

// Gradients of an activation's parameters are sums over samples and positions. They are summed in
// float32 over this many positions, which vectorises, and in float64 over these sums. Adding 16
// numbers rounds 15 times, so the error is at most 15 * 2^-24 < 2^-20 of the sum of their
// magnitudes.
inline constexpr std::size_t kPositionsInFloat32 = 16;

// dx, given dy and the numbers x that the activation read. Where it has a kink, the gradient is
// that of one of its sides; for Abs and ConcatenatedReLU, 0.
//
// Shapes: x, dx: [positions, channels]; dy: [positions, channels of y]; no overlap.
void ActivationGradient(const AbsLayer& layer, std::size_t channels, std::size_t positions,
                        const float* x, const float* dy, float* dx);
void ActivationGradient(const MaxMinLayer& layer, std::size_t channels, std::size_t positions,
                        const float* x, const float* dy, float* dx);
void ActivationGradient(const ConcatenatedReluLayer& layer, std::size_t channels,
                        std::size_t positions, const float* x, const float* dy, float* dx);
void ActivationGradient(const PReluLayer& layer, std::size_t channels, std::size_t positions,
                        const float* x, const float* dy, float* dx);
void ActivationGradient(const HouseholderLayer& layer, std::size_t channels, std::size_t positions,
                        const float* x, const float* dy, float* dx);

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_ACTIVATION_GRADIENT_H_
