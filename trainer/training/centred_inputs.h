// SPDX-License-Identifier: Apache-2.0
// Training subtracts the mean image from inputs; the served model does not. When freezing, the mean
// moves into the bias of the first dense layer,
//
//   W (x - mean) + b = W x + (b - W mean),
//
// so the frozen network computes the same function, and radii do not change. Centred inputs train
// faster: the network need not first learn to ignore what all images share.
//
// Source: LeCun et al. 1998, "Efficient BackProp", section 4.3.
#ifndef TRAINER_TRAINING_CENTRED_INPUTS_H_
#define TRAINER_TRAINING_CENTRED_INPUTS_H_

#include <span>

#include "absl/status/status.h"
#include "model/network/frozen_network.h"
#include "trainer/network/trainable_network.h"

namespace lipserve::trainer {

// Whether the first layer that computes something is dense, so that its bias can take the mean.
//
// Errors: InvalidArgument naming the recipe's field, what was expected and found.
absl::Status CheckCanTakeMean(const TrainableNetwork& network);

// Moves `mean` into the bias of the first dense layer, in float64, rounded once to float32,
// subnormals flushed to zero.
//
// Shapes:   mean: one number for each of the network's inputs.
// Requires: CheckCanTakeMean is OK for the network that was frozen.
void MoveMeanIntoBias(std::span<const float> mean, FrozenNetwork& network);

}  // namespace lipserve::trainer

#endif  // TRAINER_TRAINING_CENTRED_INPUTS_H_
