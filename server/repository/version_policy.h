// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_VERSION_POLICY_H_
#define SERVER_REPOSITORY_VERSION_POLICY_H_

#include <cstdint>
#include <set>

#include "server/repository/serving_config.h"

namespace lipserve {

// The versions that a configuration asks for.
struct VersionChoice {
  std::set<std::int64_t> wanted;   // asked for and available
  std::set<std::int64_t> missing;  // asked for by number or label, but not available
};

// Applies the policy to the `available` versions. Labelled versions are wanted whatever the policy
// says.
VersionChoice ChooseVersions(const ServingConfig& config, const std::set<std::int64_t>& available);

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_VERSION_POLICY_H_
