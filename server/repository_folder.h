// SPDX-License-Identifier: Apache-2.0
// The model repository on disk: <folder>/<name>/<version>/model.lip.
#ifndef SERVER_REPOSITORY_FOLDER_H_
#define SERVER_REPOSITORY_FOLDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipserve {

// One model file found in the repository.
struct RepositoryEntry {
  std::string name;
  std::int64_t version = 0;
  std::string path;  // of model.lip
};

// What a look at the repository found.
struct RepositoryListing {
  std::vector<RepositoryEntry> entries;  // by name, then version
  std::vector<absl::Status> problems;    // folders that cannot be served, each with the reason
};

// Whether `name` may name a model: 1 to 128 letters, digits, '_', '-' or '.', not starting with
// '.' or '-'.
bool IsValidModelName(const std::string& name);

// Lists the model files in `folder`.
//
// Plain files, hidden folders, and version folders without a model.lip are passed over: a trainer
// renames model.lip into place last, so a folder without it is not finished, not wrong.
//
// Errors: NotFound if `folder` is not a readable folder.
absl::StatusOr<RepositoryListing> ListRepositoryFolder(const std::string& folder);

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_FOLDER_H_
