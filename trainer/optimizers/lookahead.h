// SPDX-License-Identifier: Apache-2.0
// Lookahead: slow weights that follow the fast ones at a distance.
//
//   every `period` steps:   slow <- slow + step (fast - slow),   fast <- slow
//
// Source: Zhang, Lucas, Hinton, Ba 2019, arXiv:1907.08610.
#ifndef TRAINER_OPTIMIZERS_LOOKAHEAD_H_
#define TRAINER_OPTIMIZERS_LOOKAHEAD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/optimizers/update_rule.h"

namespace lipserve::trainer {

struct LookaheadOptions {
  std::int64_t period = 5;  // at least 1
  double step = 0.5;        // in (0, 1]
};

// States: "lookahead.<name>.slow" of each parameter, which start as the parameters are.
class Lookahead {
 public:
  Lookahead(const LookaheadOptions& options, const ParameterGroup& group);

  // "Lookahead(period=5, step=0.5)".
  std::string description() const;

  // Call after step number `step` of the fast weights, from 1. Returns whether it moved them.
  bool Update(std::int64_t step);

  std::vector<State>& states() { return states_; }

 private:
  LookaheadOptions options_;
  std::vector<Parameter*> parameters_;
  std::vector<State> states_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_OPTIMIZERS_LOOKAHEAD_H_
