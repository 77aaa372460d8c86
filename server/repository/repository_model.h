// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_REPOSITORY_MODEL_H_
#define SERVER_REPOSITORY_REPOSITORY_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/operations/file_fingerprint.h"
#include "server/repository/model_catalog.h"
#include "server/repository/repository_folder.h"
#include "server/repository/repository_index.h"
#include "server/repository/repository_version.h"
#include "server/repository/serving_config.h"
#include "server/repository/version_policy.h"

namespace lipserve {

// One model of the repository: its versions, its configuration, and so what should be served of it.
//
// Flow:      ApplyFolder -> [Load(*NextToLoad()) -> Reconcile], as long as there is one to load.
// Guarantee: a version that cannot be served never takes the place of one that is. A version that
//            the configuration does not ask for any more goes when all that it asks for are served;
//            one whose folder was deleted goes when another one serves, or with the whole model. A
//            label moves only to a version that is served.
// Threads:   used by one thread at a time.
class RepositoryModel {
 public:
  // Requires: context outlives the model.
  RepositoryModel(std::string name, const LoadingContext& context)
      : name_(std::move(name)), context_(context) {}

  // Whether the model is to be served; if not, nothing of it is loaded.
  void SetWanted(bool wanted) { wanted_ = wanted; }
  bool wanted() const { return wanted_; }

  // Takes notice of the folder as it is now.
  void ApplyFolder(const ModelFolder& folder);
  // As ApplyFolder for a folder that is gone.
  void MarkMissing();

  // Lets loads try again what was refused, and replace what is served of changed files.
  void AllowReload();

  // Reads and checks the files of all wanted versions without proving them; refusals are kept.
  void ReadWanted();

  // The newest version that should be loaded, if there is one.
  std::optional<std::int64_t> NextToLoad() const;
  // Announces all versions that should be loaded to the index.
  void MarkLoading();
  // As RepositoryVersion::Load.
  absl::Status Load(std::int64_t version) { return versions_.at(version).Load(); }

  // Does what the configuration says: limits batches, moves the labels, then stops serving what
  // should not be served.
  void Reconcile();

  // Forgets versions of which nothing is left on disk, served or finishing.
  void DropGone();
  // Whether nothing is left at all.
  bool IsGone() const { return versions_.empty() && problems_.empty() && config_refusal_.ok(); }

  // Whether something of it is served.
  bool IsServed() const;
  // Whether its default version is served, or could be.
  bool CanAnswer() const;
  // Adds what is served.
  void AddTo(std::vector<ModelCatalog::ModelPtr>& models) const;
  // What its versions are called.
  const VersionNames& names() const { return names_; }
  // Adds its lines.
  void AddTo(RepositoryIndex& index) const;

  // What should be served and cannot be, each with its reason.
  std::vector<absl::Status> Problems() const;

  // Numbers in one input of the largest file that ReadWanted has read.
  std::size_t largest_input_size() const;

 private:
  void ApplyConfig(const ModelFolder& folder);
  // What the configuration asks for, of the versions that can be served.
  VersionChoice Choose() const;
  bool IsServed(std::int64_t version) const;
  void ApplyLimits();
  void MoveLabels();
  void RetireUnwanted();
  std::string IdleReason(std::int64_t number, const VersionChoice& choice) const;
  // Those that are of no single version.
  std::vector<absl::Status> ModelProblems() const;

  const std::string name_;
  const LoadingContext& context_;
  bool wanted_ = false;
  bool has_folder_ = false;
  std::map<std::int64_t, RepositoryVersion> versions_;
  std::vector<absl::Status> problems_;  // of the folder

  std::string config_path_;
  std::optional<FileFingerprint> config_file_;
  absl::Status config_refusal_;                            // why the file is not in force
  std::optional<ServingConfig> config_ = ServingConfig();  // in force; none: the first was refused
  VersionNames names_;                                     // as they stand now
  bool has_default_ = false;                               // names_.default_label was once set
};

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_REPOSITORY_MODEL_H_
