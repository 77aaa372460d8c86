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
#include "server/repository/model_catalog.h"
#include "server/repository/repository_folder.h"
#include "server/repository/repository_index.h"
#include "server/repository/repository_mode.h"
#include "server/repository/repository_model.h"
#include "server/repository/retired_models.h"

namespace lipserve {

// The models of a folder, each proven before it is served, and on_change by one pointer swap.
//
// Flow:      Read -> Start -> [Poll | Load | Unload | FreeRetired]*
// Guarantee: what catalog() gives is complete and proven, and stays valid for whoever holds it. For
//            what may replace what, see RepositoryModel.
// Threads:   Index, catalog and RequestStop are safe to call from any thread. The rest is for one
//            thread, the loader, whose OpenMP team is as wide as the workers'.
class ModelRepository {
 public:
  struct Settings {
    std::string folder;
    RepositoryMode mode = RepositoryMode::kFixed;
    std::vector<std::string> load_models = {};  // that Start loads in explicit mode
    std::size_t max_batch = 16;
    std::size_t queue_capacity = 1024;  // images that may wait for one version, at most
    // Start although something is refused.
    bool skip_bad_models = false;
    // Gets lines for people: each version that was loaded, unloaded or changed, and each problem
    // once.
    std::function<void(const std::string&)> log = [](const std::string&) {};
    // Gets, after each change and on the loader's thread, whether each model of the repository
    // answers.
    std::function<void(const std::map<std::string, bool>&)> on_change =
        [](const std::map<std::string, bool>&) {};
  };

  // Requires: metrics and clock outlive the repository.
  ModelRepository(Settings settings, Metrics& metrics, const Clock& clock);
  ~ModelRepository();
  ModelRepository(const ModelRepository&) = delete;
  ModelRepository& operator=(const ModelRepository&) = delete;

  // Reads and checks the files that Start will serve: fast, without proofs.
  //
  // Errors: NotFound if there is no such folder, or in fixed mode no model in it. InvalidArgument
  //         listing, in fixed mode, everything that is refused, else the models of which no version
  //         can be served; not if bad models are skipped.
  absl::Status Read();

  // Numbers in one input of the largest model that Read found.
  std::size_t largest_input_size() const;
  // From now on, models with larger inputs are refused.
  void LimitInputSize(std::size_t numbers) { context_.max_input_size = numbers; }

  // Proves and warms what Read found, and publishes all of it at once.
  //
  // Errors: as Read; Cancelled if RequestStop was called first.
  absl::Status Start();

  // Looks at the folder: says what has changed, and in poll mode loads and unloads accordingly.
  // A folder that is suddenly empty changes nothing: that is what an unmounted volume looks like.
  void Poll();

  // Loads what the model's configuration asks for, also what was refused before, and files that
  // have changed under a served version. What cannot be loaded leaves what is served as it is.
  //
  // Errors: FailedPrecondition unless the mode is explicit; NotFound if there is no such model;
  //         InvalidArgument with everything that is wrong with it.
  absl::Status Load(const std::string& name);

  // Stops serving the model. Requests that have it keep it until they end; until then the index
  // says UNLOADING.
  //
  // Errors: FailedPrecondition unless the mode is explicit; NotFound if there is no such model.
  absl::Status Unload(const std::string& name);

  // Takes down the models whose last request has ended, and gives their memory back.
  void FreeRetired();
  // Calls `callback`, on any thread, whenever there is something for FreeRetired.
  void SetRetiredCallback(std::function<void()> callback) {
    retired_->SetCallback(std::move(callback));
  }

  // Every version that is on disk, served or finishing, as it stands.
  std::shared_ptr<const RepositoryIndex> Index() const;

  // What is served now. Empty until Start has succeeded.
  std::shared_ptr<const ModelCatalog> catalog() const;

  // Lets what the loader's thread is doing end after the version that it is loading.
  void RequestStop() { stopping_.store(true); }

 private:
  void ApplyListing(const RepositoryListing& listing);
  absl::Status CheckMode(const char* action) const;
  RepositoryModel& FindOrAddModel(const std::string& name);
  void Update(RepositoryModel& model);
  absl::Status Validate() const;
  absl::Status CheckServable(const std::string& name) const;
  void DropGone();
  void Publish();
  void PublishIndex();
  void ReportProblems();

  const Settings settings_;
  Metrics& metrics_;
  const std::shared_ptr<RetiredModels> retired_ = RetiredModels::Create();
  LoadingContext context_;
  std::map<std::string, RepositoryModel> models_;
  std::vector<absl::Status> problems_;  // of the folder as a whole
  std::set<std::string> reported_;      // the problems that the log has
  bool started_ = false;
  std::atomic<bool> stopping_{false};

  mutable Mutex mutex_;
  std::shared_ptr<const ModelCatalog> catalog_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const RepositoryIndex> index_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_MODEL_REPOSITORY_H_
