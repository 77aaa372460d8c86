// SPDX-License-Identifier: Apache-2.0
#include "trainer/cli/training_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "trainer/data/augmenter.h"
#include "trainer/training/selection.h"

namespace lipserve::trainer {

std::string TrainingText(const v1::Recipe& recipe, const Loss& loss, const Optimizer& optimizer,
                         const ScheduledNumbers& scheduled_numbers) {
  std::string text =
      absl::StrCat("loss: ", loss.description(), "\noptimizer: ", optimizer.description());
  const double decay = recipe.optimizer().weight_average_decay();
  if (decay > 0.0) absl::StrAppendFormat(&text, ", weight_average_decay=%g", decay);
  absl::StrAppend(&text, "\n");
  for (const std::string& line : scheduled_numbers.descriptions()) {
    absl::StrAppend(&text, "schedule of ", line, "\n");
  }
  if (recipe.has_augmentation()) {
    absl::StrAppend(&text, "augmentation: ", DescribeAugmentation(recipe.augmentation()), "\n");
  }
  if (recipe.has_selection()) {
    absl::StrAppend(&text, "selection: ", DescribeSelection(recipe.selection()), "\n");
  }
  return text;
}

}  // namespace lipserve::trainer
