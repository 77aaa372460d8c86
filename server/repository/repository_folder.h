// SPDX-License-Identifier: Apache-2.0
// The model repository on disk:
//
//   <folder>/<name>/config.textproto        how the versions are served; optional
//   <folder>/<name>/<version>/model.lip
#ifndef SERVER_REPOSITORY_REPOSITORY_FOLDER_H_
#define SERVER_REPOSITORY_REPOSITORY_FOLDER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/operations/file_fingerprint.h"

namespace lipserve {

// A version of a model.
struct VersionFolder {
  std::int64_t version = 0;
  std::string model_path;                     // of model.lip
  std::optional<FileFingerprint> model_file;  // none: the folder is not finished, or not any more
};

// A model.
struct ModelFolder {
  std::string name;
  absl::Status readable;  // why nothing is known of the versions, else OK
  std::string config_path;
  std::optional<FileFingerprint> config_file;  // none: there is no such file
  std::vector<VersionFolder> versions;         // ascending
  std::vector<absl::Status> problems;          // folders that cannot be versions
};

// What a look at the repository found.
struct RepositoryListing {
  std::vector<ModelFolder> models;     // by name
  std::vector<absl::Status> problems;  // folders that cannot be models
};

// Whether `name` may name a model: 1 to 128 letters, digits, '_', '-' or '.', not starting with
// '.' or '-'.
bool IsValidModelName(const std::string& name);

// Lists the models in `folder`.
//
// Plain files and hidden folders are passed over, and so are folders in a model's folder that are
// neither named like a version nor contain a model.lip.
//
// Errors: NotFound if `folder` is not a readable folder.
absl::StatusOr<RepositoryListing> ListRepositoryFolder(const std::string& folder);

// Lists one model.
//
// Errors: NotFound if there is no such model.
absl::StatusOr<ModelFolder> ListModelFolder(const std::string& folder, const std::string& name);

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_REPOSITORY_FOLDER_H_
