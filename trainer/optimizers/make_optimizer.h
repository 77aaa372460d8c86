// SPDX-License-Identifier: Apache-2.0
// Builds an optimiser from a recipe's.
#ifndef TRAINER_OPTIMIZERS_MAKE_OPTIMIZER_H_
#define TRAINER_OPTIMIZERS_MAKE_OPTIMIZER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "trainer/optimizers/optimizer.h"

namespace lipserve::trainer {

// Builds the optimiser of a recipe for `parameters`, which must outlive it and not move.
// `names` are unique names of the parameters ("layer1.kernel").
//
// Errors: InvalidArgument naming the field, what was expected and found.
absl::StatusOr<std::unique_ptr<Optimizer>> MakeOptimizer(const v1::OptimizerSpec& spec,
                                                         std::vector<Parameter*> parameters,
                                                         const std::vector<std::string>& names);

// Where the recipe sets the learning rates, and to what: "optimizer.adam.learning_rate (now 0.1) or
// optimizer.orthogonal.step_length (now 0.4)".
std::string DescribeLearningRate(const v1::OptimizerSpec& spec);

}  // namespace lipserve::trainer

#endif  // TRAINER_OPTIMIZERS_MAKE_OPTIMIZER_H_
