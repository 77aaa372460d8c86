// SPDX-License-Identifier: Apache-2.0
#include "server/repository/repository_index.h"

namespace lipserve {

const char* StateName(VersionState state) {
  switch (state) {
    case VersionState::kReady:
      return "READY";
    case VersionState::kLoading:
      return "LOADING";
    case VersionState::kUnloading:
      return "UNLOADING";
    case VersionState::kUnavailable:
      return "UNAVAILABLE";
  }
  return "";
}

}  // namespace lipserve
