// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SCHEDULING_ANSWER_DELIVERY_H_
#define SERVER_SCHEDULING_ANSWER_DELIVERY_H_

#include <span>
#include <vector>

#include "model/certified_model.h"
#include "server/scheduling/classification_task.h"

namespace lipserve {

// Delivers computed answers to the tasks that wait for them.
class AnswerDelivery {
 public:
  AnswerDelivery() = default;
  virtual ~AnswerDelivery() = default;
  AnswerDelivery(const AnswerDelivery&) = delete;
  AnswerDelivery& operator=(const AnswerDelivery&) = delete;

  // Completes each task with its own answers, now or later. `answers` starts with the answers of
  // the first task, one per image, then those of the second, and so on. May swap `answers` with a
  // spare vector.
  virtual void Deliver(std::span<ClassificationTask* const> tasks,
                       std::vector<Answer>& answers) = 0;
};

// Completes the tasks on the calling thread, before Deliver returns.
class PromptDelivery final : public AnswerDelivery {
 public:
  void Deliver(std::span<ClassificationTask* const> tasks, std::vector<Answer>& answers) override;
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_ANSWER_DELIVERY_H_
