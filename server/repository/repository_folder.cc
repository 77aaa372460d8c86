// SPDX-License-Identifier: Apache-2.0
#include "server/repository/repository_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

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

bool HasModelFile(const fs::path& folder) {
  return FingerprintOf((folder / kModelFileName).string()).has_value();
}

// The whole path of a folder, however it was given, so that its parent has a name.
fs::path WholePath(const fs::path& folder) {
  std::error_code error;
  const fs::path whole = fs::canonical(folder, error);
  return error ? folder : whole;
}

// Whether a folder is that of a model: it has a version with a file.
bool IsModelFolder(const fs::path& folder) {
  const absl::StatusOr<std::vector<std::string>> names = VisibleFolders(folder);
  return names.ok() && std::any_of(names->begin(), names->end(), [&](const std::string& name) {
           return ParseVersion(name).has_value() && HasModelFile(folder / name);
         });
}

// What is wrong if --models is the folder of a version or of a model.
absl::Status CheckDepth(const fs::path& folder) {
  const fs::path whole = WholePath(folder);
  const bool is_version = HasModelFile(folder);
  if (!is_version && !IsModelFolder(folder)) return absl::OkStatus();
  const fs::path repository = is_version ? whole.parent_path().parent_path() : whole.parent_path();
  return absl::InvalidArgumentError(absl::StrCat(
      "model repository ", folder.string(), ": expected <name>/<version>/", kModelFileName,
      " in it, got the folder of one ", is_version ? "version" : "model", ": start with --models ",
      repository.string()));
}

// What is wrong with a model's folder that has no version.
absl::Status CheckHasVersion(const fs::path& folder, const std::vector<std::string>& names) {
  if (HasModelFile(folder)) {
    return absl::InvalidArgumentError(absl::StrCat(
        (folder / kModelFileName).string(), ": expected it in the folder of a version, got it in ",
        "that of the model: move it to ", (folder / "1" / kModelFileName).string()));
  }
  constexpr std::size_t kMaxLooks = 64;
  for (std::size_t i = 0; i < std::min(names.size(), kMaxLooks); ++i) {
    if (!IsModelFolder(folder / names[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("model repository ", folder.parent_path().string(),
                     ": expected <name>/<version>/", kModelFileName,
                     " in it, got a repository inside it: start with --models ", folder.string()));
  }
  return absl::OkStatus();
}

bool HasFile(const ModelFolder& model) {
  return std::any_of(model.versions.begin(), model.versions.end(),
                     [](const VersionFolder& version) { return version.model_file.has_value(); });
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
  if (!HasFile(model) && model.problems.empty()) {
    if (absl::Status status = CheckHasVersion(folder, *texts); !status.ok()) {
      model.problems.push_back(std::move(status));
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
  if (std::any_of(listing.models.begin(), listing.models.end(), HasFile)) return listing;
  if (absl::Status status = CheckDepth(folder); !status.ok()) {
    // Its versions were taken for models that lack versions, which would be advised wrongly.
    return RepositoryListing{.models = {}, .problems = {std::move(status)}};
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
