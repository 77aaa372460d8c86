// SPDX-License-Identifier: Apache-2.0
// An optimiser: changes parameters along their gradients. One step clips the gradients, applies the
// update rules, and lets Lookahead's slow weights follow, each where the recipe asks for it.
#ifndef TRAINER_OPTIMIZERS_OPTIMIZER_H_
#define TRAINER_OPTIMIZERS_OPTIMIZER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "trainer/optimizers/lookahead.h"
#include "trainer/optimizers/update_rule.h"

namespace lipserve::trainer {

// Guarantee: the same states, `steps`, learning rates and gradients give the same bytes; nothing
//            is allocated in Step.
// Threads:   not thread-safe.
class Optimizer {
 public:
  // What a recipe decides besides the update rules.
  struct Options {
    double clip_norm = 0.0;  // 0 does not clip
    std::optional<LookaheadOptions> lookahead;
  };

  // Each parameter of `all` belongs to exactly one of `rules`.
  Optimizer(const Options& options, ParameterGroup all,
            std::vector<std::unique_ptr<UpdateRule>> rules);

  // For the summary, e.g. "Adam(learning_rate=0.001), clip_norm=1".
  std::string description() const;

  // One step with the gradients in the parameters, which clipping may scale.
  void Step();

  // The moments and slow weights: with `steps` everything that a checkpoint must hold. Names are
  // unique.
  std::vector<State*> states();

  // Steps done.
  std::int64_t steps = 0;
  // What the learning rates of the next step are multiplied by.
  double learning_rate_factor = 1.0;

 private:
  Options options_;
  ParameterGroup all_;
  std::vector<std::unique_ptr<UpdateRule>> rules_;
  std::optional<Lookahead> lookahead_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_OPTIMIZERS_OPTIMIZER_H_
