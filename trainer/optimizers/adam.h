// SPDX-License-Identifier: Apache-2.0
// Adam, in the form that Keras uses (epsilon outside the bias correction):
//
//   m <- m + (1 - beta1) (g - m)
//   v <- v + (1 - beta2) (g^2 - v)
//   p <- p - learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)
//
// Source: Kingma, Ba 2015, arXiv:1412.6980, end of section 2.
#ifndef TRAINER_OPTIMIZERS_ADAM_H_
#define TRAINER_OPTIMIZERS_ADAM_H_

#include <string>

#include "trainer/optimizers/update_rule.h"

namespace lipserve::trainer {

struct AdamOptions {
  double learning_rate = 1e-3;  // positive
  double beta1 = 0.9;           // in [0, 1)
  double beta2 = 0.999;         // in [0, 1)
  double epsilon = 1e-7;        // positive
};

// States: "adam.<name>.first_moment" of each parameter, then "adam.<name>.second_moment".
class Adam final : public UpdateRule {
 public:
  Adam(const AdamOptions& options, ParameterGroup group);

  std::string description() const override;
  void Step(std::int64_t step, double learning_rate_factor) override;

 private:
  AdamOptions options_;
  std::size_t second_moments_ = 0;  // index of the first of them in states_
};

}  // namespace lipserve::trainer

#endif  // TRAINER_OPTIMIZERS_ADAM_H_
