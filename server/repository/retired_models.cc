// SPDX-License-Identifier: Apache-2.0
#include "server/repository/retired_models.h"

#include <malloc.h>

#include <utility>

namespace lipserve {

std::shared_ptr<RetiredModels> RetiredModels::Create() {
  return std::shared_ptr<RetiredModels>(new RetiredModels());
}

std::shared_ptr<const ServedModel> RetiredModels::DeferDestruction(
    std::shared_ptr<const ServedModel> model) {
  const ServedModel* const address = model.get();
  return {address, [retired = shared_from_this(), model = std::move(model)](
                       const ServedModel* /*address*/) mutable { retired->Add(std::move(model)); }};
}

void RetiredModels::SetCallback(std::function<void()> callback) {
  MutexLock lock(mutex_);
  callback_ = std::move(callback);
}

void RetiredModels::Add(std::shared_ptr<const ServedModel> model) {
  MutexLock lock(mutex_);
  models_.push_back(std::move(model));
  if (callback_ != nullptr) callback_();
}

std::size_t RetiredModels::Free() {
  std::vector<std::shared_ptr<const ServedModel>> models;
  {
    MutexLock lock(mutex_);
    models.swap(models_);
  }
  const std::size_t count = models.size();
  if (count == 0) return 0;
  models.clear();
  // Without this, freed weights stay with the process for later allocations.
  ::malloc_trim(0);
  return count;
}

}  // namespace lipserve
