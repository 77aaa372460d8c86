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
#include <vector>

#include "trainer/optimizers/optimizer.h"

namespace lipserve::trainer {

struct AdamOptions {
  double learning_rate = 1e-3;  // positive
  double beta1 = 0.9;           // in [0, 1)
  double beta2 = 0.999;         // in [0, 1)
  double epsilon = 1e-7;        // positive
};

// States: "adam.<name>.first_moment" and "adam.<name>.second_moment" of each parameter, in order.
//
// Guarantee: the same states, `steps` and gradients give the same bytes; nothing is allocated in
//            Step.
class Adam final : public Optimizer {
 public:
  Adam(const AdamOptions& options, std::vector<Parameter*> parameters,
       const std::vector<std::string>& names);

  std::string description() const override;
  void Step() override;
  std::vector<State>& states() override { return states_; }

 private:
  AdamOptions options_;
  std::vector<Parameter*> parameters_;
  std::vector<State> states_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_OPTIMIZERS_ADAM_H_
