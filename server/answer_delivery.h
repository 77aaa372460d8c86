// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_ANSWER_DELIVERY_H_
#define SERVER_ANSWER_DELIVERY_H_

#include <span>
#include <utility>
#include <vector>

#include "model/certified_model.h"
#include "server/classification_task.h"
#include "server/connection_cork.h"

namespace lipserve {

// Brings computed answers to the tasks that wait for them.
class AnswerDelivery {
 public:
  AnswerDelivery() = default;
  virtual ~AnswerDelivery() = default;
  AnswerDelivery(const AnswerDelivery&) = delete;
  AnswerDelivery& operator=(const AnswerDelivery&) = delete;

  // Sees to it that each task is completed with its own answers: `answers` begins with one for each
  // image of the first task, then of the second, and so on. They may be taken, and other ones left
  // in their place, whose memory the caller can use.
  virtual void Deliver(std::span<ClassificationTask* const> tasks,
                       std::vector<Answer>& answers) = 0;
};

// Completes the tasks before it returns, and lets those of one connection leave together.
//
// Threads: one at a time.
class PromptDelivery final : public AnswerDelivery {
 public:
  explicit PromptDelivery(ConnectionCork cork) : cork_(std::move(cork)) {}

  void Deliver(std::span<ClassificationTask* const> tasks, std::vector<Answer>& answers) override;

 private:
  ConnectionCork cork_;
};

}  // namespace lipserve

#endif  // SERVER_ANSWER_DELIVERY_H_
