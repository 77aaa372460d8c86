// SPDX-License-Identifier: Apache-2.0
#include "server/repository/version_policy.h"

#include <algorithm>
#include <iterator>

namespace lipserve {

VersionChoice ChooseVersions(const ServingConfig& config, const std::set<std::int64_t>& available) {
  VersionChoice choice;
  std::set<std::int64_t> named;  // by number
  for (const auto& [label, version] : config.labels) named.insert(version);
  switch (config.policy.kind) {
    case VersionPolicy::Kind::kAll:
      choice.wanted = available;
      break;
    case VersionPolicy::Kind::kLatest: {
      const std::size_t count = std::min(config.policy.num_versions, available.size());
      choice.wanted.insert(std::prev(available.end(), static_cast<std::ptrdiff_t>(count)),
                           available.end());
      break;
    }
    case VersionPolicy::Kind::kSpecific:
      named.insert(config.policy.versions.begin(), config.policy.versions.end());
      break;
  }
  for (const std::int64_t version : named) {
    (available.contains(version) ? choice.wanted : choice.missing).insert(version);
  }
  return choice;
}

}  // namespace lipserve
