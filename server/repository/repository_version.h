// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_REPOSITORY_VERSION_H_
#define SERVER_REPOSITORY_REPOSITORY_VERSION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "model/network/model_file.h"
#include "server/operations/clock.h"
#include "server/operations/file_fingerprint.h"
#include "server/operations/metrics.h"
#include "server/repository/loads_aside.h"
#include "server/repository/repository_folder.h"
#include "server/repository/repository_index.h"
#include "server/repository/retired_models.h"
#include "server/repository/served_model.h"

namespace lipserve {

// What loading a version needs.
struct LoadingContext {
  std::size_t max_batch = 1;
  std::size_t queue_capacity = 1;  // most images that may wait for one version
  std::size_t max_input_size = 0;  // in numbers; a larger input does not fit a request; 0: no limit
  LoadingBudget budget = {};       // of each model
  double most_operations_at_once = 0.0;  // of a load that does not go aside
  StopCheck stop = {};                   // ends a load on the calling thread
  LoadsAside& aside;
  Metrics& metrics;
  const Clock& clock;
  std::shared_ptr<RetiredModels> retired;
  std::function<void(const std::string&)> log;
};

// One version of a model: its file on disk, the error of that file, and the served model.
//
// Guarantee: what is served changes only by Load, FinishLoad and Retire, whatever happens to the
//            file.
// Threads:   one at a time.
class RepositoryVersion {
 public:
  using ModelPtr = std::shared_ptr<const ServedModel>;

  // Requires: context outlives the version.
  RepositoryVersion(std::string model_name, std::int64_t number, const LoadingContext& context)
      : model_name_(std::move(model_name)), number_(number), context_(context) {}

  // Updates the version from the current content of its folder. A changed file clears its error.
  void ApplyFolder(const VersionFolder& folder);
  void MarkMissing();  // the folder was deleted

  bool has_folder() const { return has_folder_; }
  // Whether the folder exists, and the version is served or has a file that was not refused.
  bool CanBeServed() const;
  bool NeedsLoading() const {
    return load_ == nullptr && CanBeServed() && (served_ == nullptr || reload_);
  }
  // Whether a load goes on aside.
  bool IsBeingLoaded() const { return load_ != nullptr; }

  // Lets Load retry a refused file, and replace the served model if the file has changed.
  void AllowReload();

  // Reads and checks the file without proving it. Load then need not read it again.
  //
  // Errors: those of ReadModelFile; InvalidArgument for an input larger than a request can carry;
  //         Unavailable if the file changed meanwhile. Also kept as refusal().
  absl::Status Read();

  // Reads, checks, proves, warms up and tests the file, and serves it. If that takes more than
  // most_operations_at_once, it goes on aside (loads_aside.h), if that is enabled; then call
  // FinishLoad.
  //
  // Requires: the calling thread's OpenMP team is as wide as the workers'.
  // Errors:   those of Read and ServedModel::Load. Also kept as refusal(); what was served stays.
  //           Aborted, not kept, if memory is too short to load it beside others for now.
  absl::Status Load();

  // Serves the version if its load has ended well. Returns whether a load has ended.
  bool FinishLoad();
  // Ends the load that goes on aside, if any. What was served stays.
  void CancelLoad();

  // Shows the version as LOADING in the index until Load is called.
  void MarkLoading() { loading_ = true; }

  // Stops serving the version. Requests in flight finish with it.
  void Retire();

  // OK, or why the file cannot be served.
  const absl::Status& refusal() const { return refusal_; }
  // The served model, or null.
  const ModelPtr& served() const { return served_; }
  // Whether the version is neither on disk nor served nor in use.
  bool IsGone() const {
    return !has_folder_ && served_ == nullptr && load_ == nullptr && draining_.expired();
  }
  // The size of one input, in numbers, of the file that Read has read; 0 once Load has taken it.
  std::size_t read_input_size() const;

  // The version's entry in the index, without labels. `idle` is the reason to show for a version
  // that is not served although nothing is wrong with it.
  IndexEntry Describe(const std::string& idle) const;

 private:
  void CompareServedFile();
  std::string DescribeFileChange() const;
  absl::Status ReadFile();
  // Takes over what was loaded from checked_file_, or its error.
  void Serve(absl::StatusOr<ModelPtr> model);
  std::string ShortName() const;

  const std::string model_name_;
  const std::int64_t number_;
  const LoadingContext& context_;

  std::string path_;
  bool has_folder_ = false;
  std::optional<FileFingerprint> file_;          // as it is now; none: no file
  std::optional<FileFingerprint> checked_file_;  // the file that was last read
  absl::Status refusal_;                         // of checked_file_
  std::unique_ptr<FrozenModel> read_;            // content of checked_file_, not yet proven
  LoadingCost cost_;                             // of checked_file_, without its parts
  std::shared_ptr<LoadsAside::Load> load_;       // of checked_file_
  Clock::TimePoint load_start_;
  bool loading_ = false;

  ModelPtr served_;
  std::string file_change_;  // how the file differs from what is served; empty: not at all
  bool reload_ = false;      // Load replaces the served model
  std::weak_ptr<const ServedModel> draining_;  // retired, its requests in flight
};

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_REPOSITORY_VERSION_H_
