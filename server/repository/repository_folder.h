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

// A version of a model on disk.
struct VersionFolder {
  std::int64_t version = 0;
  std::string model_path;                     // of model.lip
  std::optional<FileFingerprint> model_file;  // none: the file is not there yet, or was removed
};

// A model on disk.
struct ModelFolder {
  std::string name;
  absl::Status readable;  // OK, or why the versions cannot be listed
  std::string config_path;
  std::optional<FileFingerprint> config_file;  // none: no such file
  std::vector<VersionFolder> versions;         // ascending
  std::vector<absl::Status> problems;          // folders that cannot be versions
};

// The content of the repository at one moment.
struct RepositoryListing {
  std::vector<ModelFolder> models;     // by name
  std::vector<absl::Status> problems;  // folders that cannot be models
};

// Whether `name` is valid for a model: 1 to 128 letters, digits, '_', '-' or '.', not starting with
// '.' or '-'.
bool IsValidModelName(const std::string& name);

// Lists the models in `folder`.
//
// Skips plain files and hidden folders. In a model's folder, skips folders that are neither named
// like a version nor contain a model.lip. Where no version is found, `problems` say so if `folder`
// is the folder of a model or a version, or holds a repository, or if a model.lip lies in the
// folder of a model.
//
// Errors: NotFound if `folder` is not a readable folder.
absl::StatusOr<RepositoryListing> ListRepositoryFolder(const std::string& folder);

// Lists one model.
//
// Errors: NotFound if there is no such model.
absl::StatusOr<ModelFolder> ListModelFolder(const std::string& folder, const std::string& name);

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_REPOSITORY_FOLDER_H_
