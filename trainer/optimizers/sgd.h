// SPDX-License-Identifier: Apache-2.0
// Stochastic gradient descent, plain or with momentum, in PyTorch's form:
//
//   u <- momentum u + g
//   p <- p - learning_rate u                    classical
//   p <- p - learning_rate (g + momentum u)     Nesterov
//
// Source: Polyak 1964; Nesterov 1983; Sutskever et al. 2013, ICML.
#ifndef TRAINER_OPTIMIZERS_SGD_H_
#define TRAINER_OPTIMIZERS_SGD_H_

#include <string>

#include "trainer/optimizers/update_rule.h"

namespace lipserve::trainer {

struct SgdOptions {
  double learning_rate = 1e-2;  // positive
  double momentum = 0.0;        // in [0, 1)
  bool nesterov = false;
};

// States: "sgd.<name>.velocity" of each parameter, if there is momentum.
class Sgd final : public UpdateRule {
 public:
  Sgd(const SgdOptions& options, ParameterGroup group);

  std::string description() const override;
  void Step(std::int64_t step, double learning_rate_factor) override;

 private:
  SgdOptions options_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_OPTIMIZERS_SGD_H_
