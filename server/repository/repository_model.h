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

// One model of the repository: its versions, its configuration, and which versions should be
// served. It reconciles the two, as a Kubernetes controller does.
//
// Flow:      ApplyFolder -> [Load(*NextToLoad()) -> Reconcile], while there is a version to load.
// Guarantee: a version that cannot be served never replaces one that is served. A version that the
//            configuration no longer asks for is retired once all versions that it asks for are
//            served. A version whose folder was deleted is retired once another one serves, or with
//            the whole model. A label moves only to a served version.
// Threads:   one at a time.
class RepositoryModel {
 public:
  // Requires: context outlives the model.
  RepositoryModel(std::string name, const LoadingContext& context)
      : name_(std::move(name)), context_(context) {}

  // Whether the model should be served. If not, none of its versions is loaded.
  void SetWanted(bool wanted) { wanted_ = wanted; }
  bool wanted() const { return wanted_; }

  // Updates the model from the current content of its folder.
  void ApplyFolder(const ModelFolder& folder);
  // The model's folder was deleted.
  void MarkMissing();

  // Lets the next loads retry refused files, and reload served versions whose files have changed.
  void AllowReload();

  // Reads and checks the files of all wanted versions, without proving them. Errors are kept.
  void ReadWanted();

  // The newest version that still has to be loaded, if any.
  std::optional<std::int64_t> NextToLoad() const;
  // Marks all versions that have to be loaded as LOADING in the index.
  void MarkLoading();
  // As RepositoryVersion::Load.
  absl::Status Load(std::int64_t version) { return versions_.at(version).Load(); }

  // As RepositoryVersion::FinishLoad, for all versions.
  bool FinishLoads();
  // Whether a load of the model goes on aside.
  bool IsBeingLoaded() const;

  // Applies the configuration to what is served: sets limits, moves labels, and then retires
  // versions that should not be served.
  void Reconcile();

  // Forgets versions that are neither on disk nor served nor in use.
  void DropGone();
  // Whether nothing is left of the model.
  bool IsGone() const { return versions_.empty() && problems_.empty() && config_refusal_.ok(); }

  // Whether any version is served.
  bool IsServed() const;
  // Whether the default version is served, or can be.
  bool CanAnswer() const;
  // Appends the served versions.
  void AddTo(std::vector<ModelCatalog::ModelPtr>& models) const;
  // The labels that are in force.
  const VersionNames& names() const { return names_; }
  // Appends the model's entries of the index.
  void AddTo(RepositoryIndex& index) const;

  // Every reason why something that should be served cannot be.
  std::vector<absl::Status> Problems() const;

  // The size of one input, in numbers, of the largest file that ReadWanted has read.
  std::size_t largest_input_size() const;

 private:
  void ApplyConfig(const ModelFolder& folder);
  // Applies the version policy to the versions that can be served.
  VersionChoice Choose() const;
  bool IsServed(std::int64_t version) const;
  void ApplyLimits();
  void MoveLabels();
  void RetireUnwanted();
  std::string IdleReason(std::int64_t number, const VersionChoice& choice) const;
  // Problems of the folder and the configuration, not of one version.
  std::vector<absl::Status> ModelProblems() const;

  const std::string name_;
  const LoadingContext& context_;
  bool wanted_ = false;
  bool has_folder_ = false;
  std::map<std::int64_t, RepositoryVersion> versions_;
  std::vector<absl::Status> problems_;  // of the folder

  std::string config_path_;
  std::optional<FileFingerprint> config_file_;
  absl::Status config_refusal_;                            // OK, or why the file was refused
  std::optional<ServingConfig> config_ = ServingConfig();  // in force; none: the first was refused
  VersionNames names_;                                     // in force
  bool has_default_ = false;                               // names_.default_label was once set
};

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_REPOSITORY_MODEL_H_
