// SPDX-License-Identifier: Apache-2.0
#include "server/repository/repository_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "model/network/model_file.h"
#include "server/repository/serving_config.h"

namespace lipserve {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxNameLength = 128;

// The names of the visible folders in `folder`. Includes entries that a failing disk cannot read,
// because they are not known to be gone.
absl::StatusOr<std::vector<std::string>> VisibleFolders(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code unknown;
    const fs::file_type type = it->status(unknown).type();
    const bool may_be_folder = type == fs::file_type::directory || type == fs::file_type::none ||
                               type == fs::file_type::unknown;
    if (name[0] != '.' && may_be_folder) names.push_back(name);
  }
  if (error) {
    return absl::NotFoundError(absl::StrCat("model repository: expected a readable folder at ",
                                            folder.string(), ", got: ", error.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// A version is a positive decimal number without sign or leading zeros.
std::optional<std::int64_t> ParseVersion(const std::string& text) {
  std::int64_t version = 0;
  if (!absl::SimpleAtoi(text, &version) || version < 1 || absl::StrCat(version) != text) {
    return std::nullopt;
  }
  return version;
}

ModelFolder ListVersions(const fs::path& folder, const std::string& name) {
  ModelFolder model;
  model.name = name;
  model.config_path = (folder / kServingConfigFileName).string();
  model.config_file = FingerprintOf(model.config_path);
  const absl::StatusOr<std::vector<std::string>> texts = VisibleFolders(folder);
  model.readable = texts.status();
  if (!texts.ok()) return model;
  for (const std::string& text : *texts) {
    const std::string path = (folder / text / kModelFileName).string();
    const std::optional<FileFingerprint> file = FingerprintOf(path);
    const std::optional<std::int64_t> version = ParseVersion(text);
    if (version.has_value()) {
      model.versions.push_back({.version = *version, .model_path = path, .model_file = file});
    } else if (file.has_value()) {
      model.problems.push_back(absl::InvalidArgumentError(absl::StrCat(
          path, ": expected a positive whole number as version folder, got '", text,
          "'; rename the folder to a number that is not there yet, or move it elsewhere")));
    }
  }
  std::sort(model.versions.begin(), model.versions.end(),
            [](const auto& a, const auto& b) { return a.version < b.version; });
  return model;
}

}  // namespace

bool IsValidModelName(const std::string& name) {
  if (name.empty() || name.size() > kMaxNameLength || name[0] == '.' || name[0] == '-') {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
}

absl::StatusOr<RepositoryListing> ListRepositoryFolder(const std::string& folder) {
  LIPSERVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, VisibleFolders(folder));
  RepositoryListing listing;
  for (const std::string& name : names) {
    const fs::path path = fs::path(folder) / name;
    if (!IsValidModelName(name)) {
      listing.problems.push_back(absl::InvalidArgumentError(absl::StrCat(
          path.string(),
          ": expected a model name of 1 to 128 letters, digits, '_', '-' or '.', got '", name,
          "'; rename the folder, or move it elsewhere")));
      continue;
    }
    listing.models.push_back(ListVersions(path, name));
  }
  return listing;
}

absl::StatusOr<ModelFolder> ListModelFolder(const std::string& folder, const std::string& name) {
  std::error_code error;
  if (!IsValidModelName(name) || !fs::is_directory(fs::path(folder) / name, error)) {
    return absl::NotFoundError(absl::StrCat("model repository ", folder, ": there is no model '",
                                            absl::CHexEscape(name.substr(0, kMaxNameLength)), "'"));
  }
  return ListVersions(fs::path(folder) / name, name);
}

}  // namespace lipserve
