// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_REPOSITORY_LOADER_H_
#define SERVER_REPOSITORY_REPOSITORY_LOADER_H_

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "model/arithmetic/floating_point_canary.h"
#include "model/foundation/mutex.h"
#include "server/operations/checked_threads.h"
#include "server/repository/model_repository.h"

namespace lipserve {

// The thread on which a repository loads, unloads and looks at its folder, so that those who serve
// do not. It has an OpenMP team of its own, as wide as a worker's, and once the server serves, a
// low priority.
//
// Threads: all functions are safe to call from any thread.
class RepositoryLoader {
 public:
  // Gets the outcome: on the loader's thread, or on the caller's if the loader has ended.
  using Done = std::function<void(const absl::Status&)>;

  struct Settings {
    std::chrono::milliseconds poll_interval{0};  // 0: only when asked
    // Which the loader's thread passes first.
    ThreadCheck check = CheckStrictFloatingPoint;
  };

  // Passes the check, starts the repository, tells `started` the outcome, and if it is OK goes on
  // until destruction.
  //
  // Requires: the repository was read and outlives this object; while it lives, nobody else calls
  //           the functions that are for the loader's thread.
  RepositoryLoader(const Settings& settings, ModelRepository& repository, Done started);

  // Ends after the version that is being loaded. Whoever waits for an outcome gets Unavailable.
  ~RepositoryLoader();
  RepositoryLoader(const RepositoryLoader&) = delete;
  RepositoryLoader& operator=(const RepositoryLoader&) = delete;

  // As the repository's functions, in the order of the calls. They return at once.
  void Load(std::string name, Done done);
  void Unload(std::string name, Done done);
  void Poll(Done done);

  // Ends after the version that is being loaded.
  void RequestStop();

  // Waits, at most so long, until it has ended and destruction would not wait; returns whether.
  bool WaitUntilEnded(std::chrono::milliseconds timeout) const;

 private:
  using Task = std::function<absl::Status(ModelRepository&)>;
  struct Request {
    Task task;
    Done done;
  };

  // What there is to do.
  struct Work {
    bool free_retired = false;
    bool poll = false;
    Request request;  // may be none
  };

  void Run(const Done& started);
  void Serve();
  void Add(Task task, Done done);
  // Waits for something to do; none once it is time to end.
  std::optional<Work> WaitForWork(std::chrono::steady_clock::time_point next_poll);
  void RejectPending();

  const Settings settings_;
  ModelRepository& repository_;

  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::deque<Request> requests_ ABSL_GUARDED_BY(mutex_);
  bool retired_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_requested_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_REPOSITORY_LOADER_H_
