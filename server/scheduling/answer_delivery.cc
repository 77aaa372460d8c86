// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/answer_delivery.h"

namespace lipserve {

void PromptDelivery::Deliver(std::span<ClassificationTask* const> tasks,
                             std::vector<Answer>& answers) {
  std::span<const Answer> rest(answers);
  for (ClassificationTask* const task : tasks) {
    const std::size_t count = task->images().num_images;
    task->Complete(absl::OkStatus(), rest.first(count));
    rest = rest.subspan(count);
  }
}

}  // namespace lipserve
