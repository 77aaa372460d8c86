// SPDX-License-Identifier: Apache-2.0
// An optimiser: changes parameters along their gradients.
#ifndef TRAINER_OPTIMIZERS_OPTIMIZER_H_
#define TRAINER_OPTIMIZERS_OPTIMIZER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Threads: not thread-safe.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // For the summary, e.g. "Adam(learning_rate=0.001)".
  virtual std::string description() const = 0;

  // One step with the gradients in the parameters.
  virtual void Step() = 0;

  // Steps done, and the moments: everything that a checkpoint must hold. Names are unique.
  std::int64_t steps = 0;
  virtual std::vector<State>& states() = 0;
};

// Builds the optimiser of a recipe for `parameters`, which must outlive it and not move.
// `names` are unique names of the parameters ("layer1.kernel").
//
// Errors: InvalidArgument naming the field, what was expected and found.
absl::StatusOr<std::unique_ptr<Optimizer>> MakeOptimizer(const v1::OptimizerSpec& spec,
                                                         std::vector<Parameter*> parameters,
                                                         const std::vector<std::string>& names);

}  // namespace lipserve::trainer

#endif  // TRAINER_OPTIMIZERS_OPTIMIZER_H_
