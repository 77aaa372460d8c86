// SPDX-License-Identifier: Apache-2.0
// A recipe's loss and optimiser, as text for people.
#ifndef TRAINER_CLI_TRAINING_TEXT_H_
#define TRAINER_CLI_TRAINING_TEXT_H_

#include <string>

#include "lipserve/v1/recipe.pb.h"
#include "trainer/losses/loss.h"
#include "trainer/optimizers/optimizer.h"
#include "trainer/training/scheduled_numbers.h"

namespace lipserve::trainer {

// One line each for loss, optimiser, every schedule, augmentation and selection if there are any:
//   loss: HKR(alpha=10, min_margin=1, full margin)
//   optimizer: Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-07)
//   schedule of learning_rate: cosine from 1 to 0
//   augmentation: shift of 1 with probability 0.5
//   selection: highest val_accuracy, patience 5
std::string TrainingText(const v1::Recipe& recipe, const Loss& loss, const Optimizer& optimizer,
                         const ScheduledNumbers& scheduled_numbers);

}  // namespace lipserve::trainer

#endif  // TRAINER_CLI_TRAINING_TEXT_H_
