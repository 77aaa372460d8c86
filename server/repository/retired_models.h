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

// Collects models whose last user has released them. Destroying a model takes milliseconds, so a
// thread that does not serve does it.
//
//   auto retired = RetiredModels::Create();
//   std::shared_ptr<const ServedModel> model = retired->DeferDestruction(loaded);
//   model.reset();    // the last user: quick
//   retired->Free();  // destroys it here
//
// Threads: all functions are safe to call from any thread.
class RetiredModels : public std::enable_shared_from_this<RetiredModels> {
 public:
  static std::shared_ptr<RetiredModels> Create();

  // Returns the same model. When the last copy of the result is released, the model is kept here
  // until Free. Works even after all other users have released this object.
  std::shared_ptr<const ServedModel> DeferDestruction(std::shared_ptr<const ServedModel> model);

  // Sets a callback that runs after each arrival, on the thread that released the model. Null for
  // none. Once this returns, the former callback is not called any more.
  void SetCallback(std::function<void()> callback);

  // Destroys the collected models and returns their memory to the system. Returns how many.
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
