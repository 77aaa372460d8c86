// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_REPOSITORY_INDEX_H_
#define SERVER_REPOSITORY_REPOSITORY_INDEX_H_

#include <cstdint>
#include <string>
#include <vector>

namespace lipserve {

// How a version stands. The names are those of the Open Inference Protocol's repository index.
enum class VersionState {
  kReady,        // served
  kLoading,      // being read, proven and warmed, or waiting for it
  kUnloading,    // not served any more; finishing the requests that it was given
  kUnavailable,  // not served; the reason says why
};

// "READY" and so on.
const char* StateName(VersionState state);

// One line of the index.
struct IndexEntry {
  std::string name;
  std::int64_t version = 0;  // 0: the model as a whole, e.g. its configuration
  VersionState state = VersionState::kUnavailable;
  // Why it is not ready, or what is wrong although it is, e.g. that its file was changed.
  std::string reason;
  std::vector<std::string> labels;  // that stand for this version now

  friend bool operator==(const IndexEntry&, const IndexEntry&) = default;
};

// Every version of every model in the repository or still in memory, by name, then version.
using RepositoryIndex = std::vector<IndexEntry>;

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_REPOSITORY_INDEX_H_
