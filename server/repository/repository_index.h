// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_REPOSITORY_INDEX_H_
#define SERVER_REPOSITORY_REPOSITORY_INDEX_H_

#include <cstdint>
#include <string>
#include <vector>

namespace lipserve {

// The state of a version. The names are those of the Open Inference Protocol's repository index.
enum class VersionState {
  kReady,        // served
  kLoading,      // being read, proven and warmed up, or waiting for that
  kUnloading,    // unloaded; its requests in flight are finishing
  kUnavailable,  // not served; see the reason
};

// The state in the words of the protocol, e.g. "READY".
const char* StateName(VersionState state);

// One line of the index.
struct IndexEntry {
  std::string name;
  std::int64_t version = 0;  // 0: the model as a whole, e.g. its configuration
  VersionState state = VersionState::kUnavailable;
  // Why the version is not ready. For a ready one, what is wrong with it, e.g. a changed file.
  std::string reason;
  std::vector<std::string> labels;  // labels of this version

  friend bool operator==(const IndexEntry&, const IndexEntry&) = default;
};

// All versions in the repository or still in memory, by name, then by version.
using RepositoryIndex = std::vector<IndexEntry>;

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_REPOSITORY_INDEX_H_
