// SPDX-License-Identifier: Apache-2.0
// models/<name>/config.textproto: how the versions of one model are served, e.g.
//
//   version_policy { latest { num_versions: 2 } }
//   labels { name: "stable" version: 3 }
//   default_label: "stable"
//
// Format: proto/lipserve/v1/serving_config.proto.
#ifndef SERVER_REPOSITORY_SERVING_CONFIG_H_
#define SERVER_REPOSITORY_SERVING_CONFIG_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "server/repository/priority.h"

namespace lipserve {

// Name of the file inside models/<name>/.
inline constexpr char kServingConfigFileName[] = "config.textproto";

// Which versions of a model are served.
struct VersionPolicy {
  enum class Kind { kAll, kLatest, kSpecific };

  Kind kind = Kind::kAll;
  std::size_t num_versions = 1;     // of kLatest
  std::set<std::int64_t> versions;  // of kSpecific
};

// How the versions of one model are served. The default value is that of a model without a file.
struct ServingConfig {
  VersionPolicy policy;
  std::map<std::string, std::int64_t> labels;  // name -> version
  std::string default_label;                   // a key of `labels`, or empty for the newest version
  std::optional<std::size_t> batch_limit;      // none: the measured one
  std::optional<std::size_t> queue_capacity;   // none: that of the server
  int default_priority = kDefaultPriority;     // 1 to kPriorityLevels
};

// Parses `text`. `place` names the file in errors.
//
// Errors: InvalidArgument "place:line: ...": for every unknown field, with the nearest known name;
//         otherwise for the first wrong value, with what was expected.
absl::StatusOr<ServingConfig> ParseServingConfig(const std::string& text, const std::string& place);

// As ParseServingConfig for the file at `path`.
//
// Errors: those of ParseServingConfig; NotFound if the file cannot be read.
absl::StatusOr<ServingConfig> ReadServingConfig(const std::string& path);

// The policy as text, e.g. "latest 2", "all" or "specific 1, 3".
std::string DescribePolicy(const VersionPolicy& policy);

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_SERVING_CONFIG_H_
