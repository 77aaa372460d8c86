// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_MODEL_REPOSITORY_H_
#define SERVER_REPOSITORY_MODEL_REPOSITORY_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/foundation/mutex.h"
#include "server/operations/clock.h"
#include "server/operations/metrics.h"
#include "server/repository/loads_aside.h"
#include "server/repository/model_catalog.h"
#include "server/repository/repository_folder.h"
#include "server/repository/repository_index.h"
#include "server/repository/repository_mode.h"
#include "server/repository/repository_model.h"
#include "server/repository/retired_models.h"

namespace lipserve {

// The models in a folder. Each is proven before it is served. A change is published by swapping one
// pointer.
//
//   ModelRepository repository({.folder = "models"}, metrics, clock);
//   repository.Read();   // fast: reads and checks the files
//   repository.Start();  // proves, warms up and publishes the models
//   repository.catalog()->Find("mnist08", 0);
//
// Flow:      Read -> Start -> [Poll | Load | Unload | FreeRetired | CollectLoads]*
// Guarantee: every model in catalog() is complete and proven, and stays valid for its holders. For
//            what may replace what, see RepositoryModel.
// Threads:   Index, catalog and RequestStop are safe to call from any thread. The rest is for one
//            thread, the loader, whose OpenMP team is as wide as the workers'.
class ModelRepository {
 public:
  struct Settings {
    std::string folder;
    RepositoryMode mode = RepositoryMode::kFixed;
    std::vector<std::string> load_models = {};  // loaded by Start in explicit mode
    std::size_t max_batch = 16;
    std::size_t queue_capacity = 1024;  // most images that may wait for one version
    LoadingBudget budget = {};          // of each model, and of the loads aside together
    // A load that takes more goes on aside: about a second of one core.
    double most_operations_at_once = 1e9;
    // Start even if some models are refused.
    bool skip_bad_models = false;
    // Receives log lines: every version that was loaded, unloaded or changed, and each problem
    // once.
    std::function<void(const std::string&)> log = [](const std::string&) {};
    // Called on the loader's thread after each change. Says of each model whether it has a default
    // version to answer with.
    std::function<void(const std::map<std::string, bool>&)> on_change =
        [](const std::map<std::string, bool>&) {};
  };

  // Requires: metrics and clock outlive the repository.
  ModelRepository(Settings settings, Metrics& metrics, const Clock& clock);
  ~ModelRepository();
  ModelRepository(const ModelRepository&) = delete;
  ModelRepository& operator=(const ModelRepository&) = delete;

  // Reads and checks the files that Start will serve. Fast: proves nothing.
  //
  // Errors: NotFound if there is no such folder, or in fixed mode no model in it. InvalidArgument
  //         listing what is refused: in fixed mode everything, otherwise the models without a
  //         version that can be served. With skip_bad_models there is no such error.
  absl::Status Read();

  // The size of one input, in numbers, of the largest model that Read found.
  std::size_t largest_input_size() const;
  // Refuses models with larger inputs from now on.
  void LimitInputSize(std::size_t numbers) { context_.max_input_size = numbers; }

  // Lets loads that take long go on aside (loads_aside.h). Then `ended` is called on another thread
  // when CollectLoads has work. Without this, Start, Poll and Load wait for every load.
  void LoadAside(ThreadCheck check, std::function<void()> ended) {
    aside_.Enable(std::move(check), std::move(ended));
  }

  // Proves and warms up the models that Read found, and publishes all of them at once. With
  // skip_bad_models it returns as soon as some are served, while others are loaded aside.
  //
  // Errors: as Read; Cancelled if RequestStop was called first.
  absl::Status Start();

  // Lists the folder and logs what has changed. In poll mode also loads and unloads versions
  // accordingly. A folder that is suddenly empty changes nothing: an unmounted volume looks like
  // that.
  void Poll();

  // Loads the versions that the model's configuration asks for. Retries refused files, and reloads
  // served versions whose files have changed. If a load fails, what is served stays.
  //
  // Errors: FailedPrecondition unless the mode is explicit; NotFound if there is no such model;
  //         InvalidArgument with everything that is wrong with it.
  absl::Status Load(const std::string& name);

  // Whether a load of the model goes on aside, or waits for others. If so, Load is not done yet.
  bool IsBeingLoaded(const std::string& name) const;
  // The outcome of Load, once IsBeingLoaded is false.
  absl::Status OutcomeOfLoad(const std::string& name) const;
  // Serves what was loaded aside, and starts what waited.
  void CollectLoads();
  // Cancels the loads aside, and waits for their threads.
  void EndLoads() { aside_.Stop(); }

  // Stops serving the model, and ends its loads. Requests in flight finish with it; until then the
  // index says UNLOADING.
  //
  // Errors: FailedPrecondition unless the mode is explicit; NotFound if there is no such model.
  absl::Status Unload(const std::string& name);

  // Destroys the models whose last request has ended, and frees their memory.
  void FreeRetired();
  // Sets the callback that announces work for FreeRetired. It is called on any thread.
  void SetRetiredCallback(std::function<void()> callback) {
    retired_->SetCallback(std::move(callback));
  }

  // The state of every version that is on disk, served or still in use.
  std::shared_ptr<const RepositoryIndex> Index() const;

  // The served versions. Empty until Start has succeeded.
  std::shared_ptr<const ModelCatalog> catalog() const;

  // Ends the loader's current operation and all loads, soon.
  void RequestStop() {
    stopping_.store(true);
    aside_.CancelAll();
  }

 private:
  void ApplyListing(const RepositoryListing& listing);
  absl::Status CheckMode(const char* action) const;
  RepositoryModel& FindOrAddModel(const std::string& name);
  void LoadWanted(const std::string& name, RepositoryModel& model);
  void WaitForLoads();
  // Whether the server may start: every wanted model can be served, or bad models are skipped.
  absl::Status Validate() const;
  // OK if the model can be served; otherwise every reason why not.
  absl::Status CheckServable(const std::string& name) const;
  void DropGone();
  void Publish();
  void PublishIndex();
  void ReportProblems();

  const Settings settings_;
  Metrics& metrics_;
  const std::shared_ptr<RetiredModels> retired_ = RetiredModels::Create();
  std::atomic<bool> stopping_{false};
  LoadsAside aside_;
  LoadingContext context_;
  std::map<std::string, RepositoryModel> models_;
  std::vector<absl::Status> problems_;  // of the folder as a whole
  std::set<std::string> reported_;      // problems that were logged
  std::set<std::string> waiting_;       // models with a load that waits for others
  bool started_ = false;

  mutable Mutex mutex_;
  std::shared_ptr<const ModelCatalog> catalog_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const RepositoryIndex> index_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_MODEL_REPOSITORY_H_
