// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_LOADS_ASIDE_H_
#define SERVER_REPOSITORY_LOADS_ASIDE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "model/foundation/mutex.h"
#include "model/foundation/stop_check.h"
#include "server/operations/checked_threads.h"
#include "server/repository/served_model.h"

namespace lipserve {

// Loads that take long, each on a thread of its own at low priority, so that they delay neither
// answers nor the loads of other models. As many run at once as fit into memory together.
//
//   LoadsAside loads(1e9);
//   loads.Enable(check, [] { /* wake whoever calls JoinEnded and TakeResult */ });
//   const auto load = loads.TryStart(5e8, [](const StopCheck& stop) { return Prove(stop); });
//   load->TakeResult();  // nothing until it has ended
//
// Threads: all functions are safe to call from any thread.
class LoadsAside {
 public:
  using Result = absl::StatusOr<std::shared_ptr<const ServedModel>>;
  // Computes the result on the load's thread; returns soon after the check says so.
  using Work = std::function<Result(const StopCheck& stop)>;

  class Load {
   public:
    // Makes the load end soon, with a result that nobody wants.
    void Cancel() { cancelled_.store(true); }
    // The result, once; nothing before the load has ended.
    std::optional<Result> TakeResult();

   private:
    friend class LoadsAside;

    double bytes_ = 0.0;
    std::atomic<bool> cancelled_{false};
    Mutex mutex_;
    std::optional<Result> result_ ABSL_GUARDED_BY(mutex_);
    std::atomic<bool> ended_{false};
    std::thread thread_;
  };

  // `bytes`: what loads may take together; one alone may take more.
  explicit LoadsAside(double bytes) : bytes_(bytes) {}
  // Cancels all loads and waits for them.
  ~LoadsAside() { Stop(); }
  LoadsAside(const LoadsAside&) = delete;
  LoadsAside& operator=(const LoadsAside&) = delete;

  // Allows loads. Each thread must pass `check`. `ended` is called on a load's thread at its end.
  void Enable(ThreadCheck check, std::function<void()> ended);
  bool IsEnabled() const;

  // Starts a load that takes so many bytes; null if two run, if there is no room until another has
  // ended, or if none may start.
  std::shared_ptr<Load> TryStart(double bytes, Work work);

  // Frees the threads of loads that have ended.
  void JoinEnded();
  // Waits until a load has ended that JoinEnded did not see, or none runs.
  void WaitUntilOneEnds() const;

  // Cancels all loads, and starts no more.
  void CancelAll();
  // The same, and waits for their threads.
  void Stop();

 private:
  void Run(Load& load, const Work& work);

  const double bytes_;
  mutable Mutex mutex_;
  mutable CondVar changed_;
  ThreadCheck check_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> ended_ ABSL_GUARDED_BY(mutex_);
  bool enabled_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<Load>> loads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_LOADS_ASIDE_H_
