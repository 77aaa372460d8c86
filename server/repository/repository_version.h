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
#include "server/repository/repository_folder.h"
#include "server/repository/repository_index.h"
#include "server/repository/retired_models.h"
#include "server/repository/served_model.h"

namespace lipserve {

// What is needed to load a version.
struct LoadingContext {
  std::size_t max_batch = 1;
  std::size_t queue_capacity = 1;  // images that may wait for one version
  std::size_t max_input_size = 0;  // numbers; larger inputs do not fit a request; 0: no limit
  Metrics& metrics;
  const Clock& clock;
  std::shared_ptr<RetiredModels> retired;
  std::function<void(const std::string&)> log;
};

// One version of a model: its file on disk, what became of it, and what is served of it.
//
// Guarantee: what is served changes only by Load and Retire, whatever happens to the file.
// Threads:   used by one thread at a time.
class RepositoryVersion {
 public:
  using ModelPtr = std::shared_ptr<const ServedModel>;

  // Requires: context outlives the version.
  RepositoryVersion(std::string model_name, std::int64_t number, const LoadingContext& context)
      : model_name_(std::move(model_name)), number_(number), context_(context) {}

  // Takes notice of the folder as it is now. A refusal is forgotten when the file has changed.
  void ApplyFolder(const VersionFolder& folder);
  void MarkMissing();  // the folder is gone

  bool has_folder() const { return has_folder_; }
  // Whether it is served, or has a file that was not refused, in a folder that is there.
  bool CanBeServed() const;
  bool NeedsLoading() const { return CanBeServed() && (served_ == nullptr || reload_); }

  // Lets Load try again what was refused, and replace what is served if the file has changed.
  void AllowReload();

  // Reads and checks the file without proving it, so that Load is spared it.
  //
  // Errors: those of ReadModelFile; InvalidArgument for a larger input than a request can carry;
  //         Unavailable if the file changed meanwhile. Also kept as refusal().
  absl::Status Read();

  // Reads, checks, proves, warms and tests the file on the calling thread, and serves it.
  //
  // Requires: the calling thread's OpenMP team is as wide as the workers'.
  // Errors:   those of Read and ServedModel::Load. Also kept as refusal(); what was served stays.
  absl::Status Load();

  // For the index, before Load: that it will be loaded.
  void MarkLoading() { loading_ = true; }

  // Stops serving it. Requests that have it keep it until they end.
  void Retire();

  // Why the file cannot be served, or OK.
  const absl::Status& refusal() const { return refusal_; }
  // Null if it is not served.
  const ModelPtr& served() const { return served_; }
  // Whether nothing is left of it on disk, served or finishing.
  bool IsGone() const { return !has_folder_ && served_ == nullptr && draining_.expired(); }
  // Numbers in one input of the file that Read has read, until Load takes it.
  std::size_t read_input_size() const;

  // Its line in the index, without labels. `idle` is the reason if there is nothing wrong with it
  // and it is not served.
  IndexEntry Describe(const std::string& idle) const;

 private:
  void CompareServedFile();
  std::string DescribeFileChange() const;
  absl::Status ReadFile();
  std::string ShortName() const;

  const std::string model_name_;
  const std::int64_t number_;
  const LoadingContext& context_;

  std::string path_;
  bool has_folder_ = false;
  std::optional<FileFingerprint> file_;          // as it is now; none: there is none
  std::optional<FileFingerprint> checked_file_;  // the file that was last read
  absl::Status refusal_;                         // of the judged file
  std::unique_ptr<FrozenModel> read_;            // the judged file, not yet proven
  bool loading_ = false;

  ModelPtr served_;
  std::string file_change_;  // between the file and what is served; empty: none
  bool reload_ = false;      // take the file although something is served
  std::weak_ptr<const ServedModel> draining_;
};

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_REPOSITORY_VERSION_H_
