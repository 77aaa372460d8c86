// SPDX-License-Identifier: Apache-2.0
#include "server/operations/health_statuses.h"

namespace lipserve {

void HealthStatuses::Set(const std::string& service, bool serving) {
  MutexLock lock(mutex_);
  if (ended_ || Find(service) == serving) return;
  statuses_[service] = serving;
  for (const Watch& watch : watches_) {
    if (watch.service == service) watch.watcher->OnStatus(serving);
  }
}

std::optional<bool> HealthStatuses::Get(const std::string& service) const {
  MutexLock lock(mutex_);
  return Find(service);
}

std::optional<bool> HealthStatuses::Find(const std::string& service) const {
  const auto found = statuses_.find(service);
  if (found == statuses_.end()) return std::nullopt;
  return found->second;
}

void HealthStatuses::Add(const std::string& service, Watcher& watcher) {
  MutexLock lock(mutex_);
  watcher.OnStatus(Find(service));
  if (ended_) {
    watcher.OnEnd();
  } else {
    watches_.push_back({service, &watcher});
  }
}

void HealthStatuses::Remove(Watcher& watcher) {
  MutexLock lock(mutex_);
  std::erase_if(watches_, [&](const Watch& watch) { return watch.watcher == &watcher; });
}

void HealthStatuses::End() {
  MutexLock lock(mutex_);
  ended_ = true;
  for (const Watch& watch : watches_) watch.watcher->OnEnd();
  watches_.clear();
}

}  // namespace lipserve
