// SPDX-License-Identifier: Apache-2.0
#include "server/repository/loads_aside.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "model/execution/onednn.h"

namespace lipserve {
namespace {

// As the loader's own once the server serves.
constexpr int kNicenessOfLoads = 10;
// More would take a share of the cores that serve: niceness is of each thread.
constexpr std::size_t kMostLoads = 2;

}  // namespace

std::optional<LoadsAside::Result> LoadsAside::Load::TakeResult() {
  if (!ended_.load()) return std::nullopt;
  MutexLock lock(mutex_);
  return std::exchange(result_, std::nullopt);
}

void LoadsAside::Enable(ThreadCheck check, std::function<void()> ended) {
  MutexLock lock(mutex_);
  check_ = std::move(check);
  ended_ = std::move(ended);
  enabled_ = true;
}

bool LoadsAside::IsEnabled() const {
  MutexLock lock(mutex_);
  return enabled_;
}

std::shared_ptr<LoadsAside::Load> LoadsAside::TryStart(double bytes, Work work) {
  MutexLock lock(mutex_);
  if (!enabled_) return nullptr;
  double taken = 0.0;
  for (const auto& load : loads_) taken += load->bytes_;
  if (loads_.size() >= kMostLoads || (!loads_.empty() && taken + bytes > bytes_)) return nullptr;
  auto load = std::make_shared<Load>();
  load->bytes_ = bytes;
  // The thread ends before loads_ lets go of the load.
  load->thread_ =
      std::thread([this, load = load.get(), work = std::move(work)] { Run(*load, work); });
  loads_.push_back(load);
  return load;
}

void LoadsAside::Run(Load& load, const Work& work) {
  ::setpriority(PRIO_PROCESS, 0, kNicenessOfLoads);  // of this thread only (Linux)
  onednn::SetThreadsOfThisThread(1);
  ThreadCheck check;
  std::function<void()> ended;
  {
    MutexLock lock(mutex_);
    check = check_;
    ended = ended_;
  }
  const absl::Status checked = check();
  Result result =
      checked.ok() ? work(StopCheck([&load] { return load.cancelled_.load(); })) : Result(checked);
  {
    MutexLock lock(load.mutex_);
    load.result_ = std::move(result);
  }
  {
    MutexLock lock(mutex_);
    load.ended_.store(true);
    changed_.NotifyAll();
  }
  ended();
}

void LoadsAside::JoinEnded() {
  std::vector<std::shared_ptr<Load>> ended;
  {
    MutexLock lock(mutex_);
    const auto first = std::partition(loads_.begin(), loads_.end(),
                                      [](const auto& load) { return !load->ended_.load(); });
    ended.assign(first, loads_.end());
    loads_.erase(first, loads_.end());
  }
  for (const auto& load : ended) load->thread_.join();
}

void LoadsAside::WaitUntilOneEnds() const {
  MutexLock lock(mutex_);
  const auto runs = [](const std::shared_ptr<Load>& load) { return !load->ended_.load(); };
  while (!loads_.empty() && std::all_of(loads_.begin(), loads_.end(), runs)) changed_.Wait(mutex_);
}

void LoadsAside::CancelAll() {
  MutexLock lock(mutex_);
  enabled_ = false;
  for (const auto& load : loads_) load->Cancel();
}

void LoadsAside::Stop() {
  CancelAll();
  std::vector<std::shared_ptr<Load>> loads;
  {
    MutexLock lock(mutex_);
    loads.swap(loads_);
  }
  for (const auto& load : loads) load->thread_.join();
}

}  // namespace lipserve
