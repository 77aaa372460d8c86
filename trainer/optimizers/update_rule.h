// SPDX-License-Identifier: Apache-2.0
// An update rule: how a group of parameters moves along its gradients.
#ifndef TRAINER_OPTIMIZERS_UPDATE_RULE_H_
#define TRAINER_OPTIMIZERS_UPDATE_RULE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// The parameters that a rule moves, and their unique names ("layer1.kernel"). They outlive the
// rule and do not move in memory.
struct ParameterGroup {
  std::vector<Parameter*> parameters;
  std::vector<std::string> names;
};

// Guarantee: the same states, step number and gradients give the same bytes; nothing is allocated
//            in Step.
// Threads:   not thread-safe.
class UpdateRule {
 public:
  explicit UpdateRule(ParameterGroup group) : group_(std::move(group)) {}
  virtual ~UpdateRule() = default;
  UpdateRule(const UpdateRule&) = delete;
  UpdateRule& operator=(const UpdateRule&) = delete;

  // For the summary, e.g. "Adam(learning_rate=0.001)".
  virtual std::string description() const = 0;

  // Step number `step`, from 1, with the gradients in the parameters, at `learning_rate_factor`
  // times the rule's learning rate.
  virtual void Step(std::int64_t step, double learning_rate_factor) = 0;

  // Restores the rule's constraint after something else has moved the parameters.
  virtual void RestoreConstraint() {}

  // The moments: with the step number everything that a checkpoint must hold. Names are unique.
  std::vector<State>& states() { return states_; }

 protected:
  // Adds a state of zeros for each parameter, named "<rule>.<parameter>.<name>", and returns the
  // index of the first.
  std::size_t AddStates(const std::string& rule, const std::string& name) {
    const std::size_t first = states_.size();
    for (std::size_t i = 0; i < group_.parameters.size(); ++i) {
      states_.push_back({absl::StrCat(rule, ".", group_.names[i], ".", name),
                         std::vector<float>(group_.parameters[i]->values.size())});
    }
    return first;
  }

  ParameterGroup group_;
  std::vector<State> states_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_OPTIMIZERS_UPDATE_RULE_H_
