// SPDX-License-Identifier: Apache-2.0
#include "server/repository_folder.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/network/model_file.h"
#include "model/status_macros.h"

namespace lipserve {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxNameLength = 128;

// The names of the visible folders inside `folder`.
absl::StatusOr<std::vector<std::string>> VisibleFolders(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code not_a_folder;
    if (name[0] != '.' && it->is_directory(not_a_folder)) names.push_back(name);
  }
  if (error) {
    return absl::NotFoundError(absl::StrCat("model repository: expected a readable folder at ",
                                            folder.string(), ", got: ", error.message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// A version is a positive decimal number in its only spelling: no sign, no leading zero.
std::optional<std::int64_t> ParseVersion(const std::string& text) {
  std::int64_t version = 0;
  if (!absl::SimpleAtoi(text, &version) || version < 1 || absl::StrCat(version) != text) {
    return std::nullopt;
  }
  return version;
}

absl::Status ListVersions(const fs::path& folder, const std::string& name,
                          RepositoryListing& listing) {
  LIPSERVE_ASSIGN_OR_RETURN(const std::vector<std::string> versions, VisibleFolders(folder));
  for (const std::string& text : versions) {
    const fs::path path = folder / text / kModelFileName;
    std::error_code error;
    if (!fs::exists(path, error)) continue;
    const std::optional<std::int64_t> version = ParseVersion(text);
    if (version.has_value()) {
      listing.entries.push_back({name, *version, path.string()});
    } else {
      listing.problems.push_back(absl::InvalidArgumentError(
          absl::StrCat(path.string(), ": expected a positive whole number as version folder, got '",
                       text, "'; rename the folder, e.g. to 1")));
    }
  }
  return absl::OkStatus();
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
    absl::Status status =
        IsValidModelName(name)
            ? ListVersions(path, name, listing)
            : absl::InvalidArgumentError(absl::StrCat(
                  path.string(),
                  ": expected a model name of 1 to 128 letters, digits, '_', '-' or '.', got '",
                  name, "'; rename the folder"));
    if (!status.ok()) listing.problems.push_back(std::move(status));
  }
  std::sort(listing.entries.begin(), listing.entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.name, a.version) < std::tie(b.name, b.version);
  });
  return listing;
}

}  // namespace lipserve
