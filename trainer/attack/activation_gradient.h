// SPDX-License-Identifier: Apache-2.0
// The activations of a frozen network, there and back (frozen_gradient.h).
#ifndef TRAINER_ATTACK_ACTIVATION_GRADIENT_H_
#define TRAINER_ATTACK_ACTIVATION_GRADIENT_H_

#include <memory>

#include "model/network/frozen_network.h"
#include "trainer/attack/frozen_gradient.h"

namespace lipserve::trainer {

// The step of a layer that reads `shape`.
std::unique_ptr<GradientStep> ActivationStep(const AbsLayer& layer, const SampleShape& shape);
std::unique_ptr<GradientStep> ActivationStep(const MaxMinLayer& layer, const SampleShape& shape);
std::unique_ptr<GradientStep> ActivationStep(const ConcatenatedReluLayer& layer,
                                             const SampleShape& shape);
std::unique_ptr<GradientStep> ActivationStep(const PReluLayer& layer, const SampleShape& shape);
std::unique_ptr<GradientStep> ActivationStep(const HouseholderLayer& layer,
                                             const SampleShape& shape);

}  // namespace lipserve::trainer

#endif  // TRAINER_ATTACK_ACTIVATION_GRADIENT_H_
