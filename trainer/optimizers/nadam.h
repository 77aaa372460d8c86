// SPDX-License-Identifier: Apache-2.0
// Nadam: Adam whose momentum looks one step ahead, with the momentum schedule of Keras and PyTorch.
//
//   mu_t = beta1 (1 - 0.96^(0.004 t) / 2),   M_t = mu_1 ... mu_t
//   m <- m + (1 - beta1) (g - m)
//   v <- v + (1 - beta2) (g^2 - v)
//   p <- p - learning_rate ((1 - mu_t) / (1 - M_t) g + mu_{t+1} / (1 - M_{t+1}) m)
//                          / (sqrt(v / (1 - beta2^t)) + epsilon)
//
// Source: Dozat 2016, "Incorporating Nesterov momentum into Adam", ICLR workshop.
#ifndef TRAINER_OPTIMIZERS_NADAM_H_
#define TRAINER_OPTIMIZERS_NADAM_H_

#include <string>

#include "trainer/optimizers/adam.h"
#include "trainer/optimizers/update_rule.h"

namespace lipserve::trainer {

// States: "nadam.<name>.first_moment" of each parameter, then "nadam.<name>.second_moment", then
// "nadam.momentum_product", the number M_t.
class Nadam final : public UpdateRule {
 public:
  Nadam(const AdamOptions& options, ParameterGroup group);

  std::string description() const override;
  void Step(std::int64_t step, double learning_rate_factor) override;

 private:
  AdamOptions options_;
  std::size_t second_moments_ = 0;  // index of the first of them in states_
};

}  // namespace lipserve::trainer

#endif  // TRAINER_OPTIMIZERS_NADAM_H_
