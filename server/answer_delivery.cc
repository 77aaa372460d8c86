// SPDX-License-Identifier: Apache-2.0
#include "server/answer_delivery.h"

#include <algorithm>

namespace lipserve {

void PromptDelivery::Deliver(std::span<ClassificationTask* const> tasks,
                             std::vector<Answer>& answers) {
  std::span<const Answer> rest(answers);
  while (!tasks.empty()) {
    const auto together = tasks.first(std::min(tasks.size(), ConnectionCork::kMostAnswers));
    tasks = tasks.subspan(together.size());
    const ConnectionCork::Hold hold = cork_.HoldBack(together.size());
    for (ClassificationTask* const task : together) {
      const std::size_t count = task->images().num_images;
      task->Complete(absl::OkStatus(), rest.first(count));
      rest = rest.subspan(count);
    }
  }
}

}  // namespace lipserve
