// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_REPOSITORY_LOADER_H_
#define SERVER_REPOSITORY_REPOSITORY_LOADER_H_

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "model/arithmetic/floating_point_canary.h"
#include "model/foundation/mutex.h"
#include "server/operations/checked_threads.h"
#include "server/repository/model_repository.h"

namespace lipserve {

// The thread that starts a ModelRepository, then polls its folder and loads and unloads models. So
// serving threads never do.
//
//   RepositoryLoader loader({.poll_interval = 2s}, repository, on_started);
//   loader.Load("mnist08", [](const absl::Status& outcome) { ... });  // returns at once
//
// Loads that take long go on aside, so that they delay no other request (loads_aside.h).
//
// The thread's OpenMP team is as wide as a worker's. Once the server serves, it runs at low
// priority.
//
// Threads: all functions are safe to call from any thread.
class RepositoryLoader {
 public:
  // Receives the outcome: on the loader's thread, or on the caller's if the loader has ended.
  using Done = std::function<void(const absl::Status&)>;

  struct Settings {
    std::chrono::milliseconds poll_interval{0};  // 0: poll only by Poll
    // The loader's thread must pass it before it proves models.
    ThreadCheck check = CheckStrictFloatingPoint;
  };

  // Passes the check, starts the repository, and calls `started` with the outcome. If it is OK,
  // serves requests until destruction.
  //
  // Requires: the repository was read, and outlives this object. During that time nobody else calls
  //           the repository's functions for the loader's thread.
  RepositoryLoader(const Settings& settings, ModelRepository& repository, Done started);

  // Ends the loads, soon. Pending requests get Unavailable.
  ~RepositoryLoader();
  RepositoryLoader(const RepositoryLoader&) = delete;
  RepositoryLoader& operator=(const RepositoryLoader&) = delete;

  // Queue a call of the repository's function of that name. Requests run in order; these return at
  // once. A load that goes on aside is done later than requests that came after it.
  void Load(std::string name, Done done);
  void Unload(std::string name, Done done);
  void Poll(Done done);

  // Ends the loads, soon.
  void RequestStop();

  // Waits for at most `timeout` until the loader has ended, so that destruction would not wait.
  // Returns whether it has ended.
  bool WaitUntilEnded(std::chrono::milliseconds timeout) const;

 private:
  using Task = std::function<absl::Status(ModelRepository&)>;
  struct Request {
    Task task;
    Done done;
    std::string loads = {};  // the model that a Load is for
  };

  // The next work of the loader's thread.
  struct Work {
    bool free_retired = false;
    bool collect_loads = false;
    bool poll = false;
    Request request;  // without a task if there is none
  };

  void Run(const Done& started);
  void Serve();
  void Add(Request request);
  void Answer(const Request& request);
  void AnswerEndedLoads();
  // Waits for work. Returns none once a stop was requested.
  std::optional<Work> WaitForWork(std::chrono::steady_clock::time_point next_poll);
  void RejectPending();

  const Settings settings_;
  ModelRepository& repository_;

  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::deque<Request> requests_ ABSL_GUARDED_BY(mutex_);
  bool retired_ ABSL_GUARDED_BY(mutex_) = false;
  bool load_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_requested_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Request> loading_;  // whose loads go on aside; of the loader's thread
  std::thread thread_;
};

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_REPOSITORY_LOADER_H_
