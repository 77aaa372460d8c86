// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_RETIRED_MODELS_H_
#define SERVER_REPOSITORY_RETIRED_MODELS_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "model/foundation/mutex.h"
#include "server/repository/served_model.h"

namespace lipserve {

// Where models go when their last user lets go of them. To take down a model takes milliseconds, so
// it is done by a thread that does not serve.
//
// Threads: all functions are safe to call from any thread.
class RetiredModels : public std::enable_shared_from_this<RetiredModels> {
 public:
  static std::shared_ptr<RetiredModels> Create();

  // The same model, which arrives here when the last copy of the result goes; also after everybody
  // else has let go of this object.
  std::shared_ptr<const ServedModel> DeferDestruction(std::shared_ptr<const ServedModel> model);

  // Calls `callback` after each arrival, on the thread that let go; null for nothing. Not called
  // any more once this returns with another one.
  void SetCallback(std::function<void()> callback);

  // Destroys what has callback and gives the memory back to the system; returns how many models.
  std::size_t Free();

 private:
  RetiredModels() = default;
  void Add(std::shared_ptr<const ServedModel> model);

  Mutex mutex_;
  std::function<void()> callback_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<const ServedModel>> models_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_RETIRED_MODELS_H_
