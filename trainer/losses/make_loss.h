// SPDX-License-Identifier: Apache-2.0
// Builds a loss from a recipe's.
#ifndef TRAINER_LOSSES_MAKE_LOSS_H_
#define TRAINER_LOSSES_MAKE_LOSS_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "trainer/losses/loss.h"

namespace lipserve::trainer {

// Builds the loss of a recipe for a network with `num_scores` scores, `prototypes_per_class` of
// each class if its last layer is nearest_prototype and 0 if it is not.
//
// Errors: InvalidArgument naming the field, what was expected and found.
absl::StatusOr<std::unique_ptr<Loss>> MakeLoss(const v1::LossSpec& spec, std::size_t num_scores,
                                               std::size_t prototypes_per_class = 0);

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_MAKE_LOSS_H_
