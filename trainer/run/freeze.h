// SPDX-License-Identifier: Apache-2.0
// Converts trained weights to a frozen model: plain weights, claimed bounds, a self-check and the
// results that the file records.
#ifndef TRAINER_RUN_FREEZE_H_
#define TRAINER_RUN_FREEZE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/certified_model.h"
#include "model/network/model_file.h"
#include "trainer/evaluation/evaluation.h"
#include "trainer/training/training_loop.h"

namespace lipserve::trainer {

// A model that is ready to be written, and its evaluation.
struct FreezeResult {
  FrozenModel model;
  Evaluation evaluation;
  std::vector<double> layer_lipschitz_bounds;  // proven, of each layer
};

// Claims the norm of each layer that BoundOperatorNorm proves.
//
// Errors: InvalidArgument or Internal, naming the layer, if none is proven.
absl::Status ClaimOperatorNorms(FrozenNetwork& network);

// Freezes the weights that the network has now, with the norm of each layer that BoundOperatorNorm
// proves as its claim. The model records no results yet.
//
// Errors: InvalidArgument or Internal, naming the layer, if the network is refused.
absl::StatusOr<FrozenModel> FreezeWeights(const TrainingLoop& loop);

// The model with its norms proven, for batches of the size that Freeze evaluates.
//
// Errors: those of CertifiedModel::Create.
absl::StatusOr<std::shared_ptr<const CertifiedModel>> ProveFrozen(const FrozenModel& model);

// Freezes the resulting weights of a finished run (TrainingLoop::InstallResult). Claims the
// operator norm of each dense layer that BoundOperatorNorm proves, and has CertifiedModel confirm
// the claims. Then self-checks and evaluates the model.
//
// Attacks `attack_images` of the samples, for evaluation.empirical only.
//
// Guarantee: the same loop gives the same model bytes, which hold neither a time nor a path.
// Errors:    InvalidArgument or Internal, naming the layer or sample, if the model is refused or
//            its float32 and float64 scores disagree.
absl::StatusOr<FreezeResult> Freeze(TrainingLoop& loop, std::size_t attack_images = 0);

// Compares the float32 scores of the model with the float64 scores of its answers on `samples`.
//
// Errors: Internal naming the first sample where they differ by more than rounding explains.
absl::Status SelfCheck(const CertifiedModel& model, const Samples& samples);

// Writes the model and reads it back, which verifies that a server will accept the file.
//
// Errors: Internal, naming the path, if writing fails or another model is read.
absl::Status WriteAndReadBack(const std::string& path, FrozenModel& model);

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_FREEZE_H_
