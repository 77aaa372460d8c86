// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/request_checks.h"

#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "server/operations/request_error.h"
#include "server/repository/priority.h"

namespace lipserve {
namespace {

constexpr std::size_t kMaxRequestIdBytes = 128;

}  // namespace

absl::Status CheckRequestId(absl::string_view field, const std::string& id) {
  if (id.size() <= kMaxRequestIdBytes) return absl::OkStatus();
  return InvalidField(
      field, absl::StrCat("expected at most ", kMaxRequestIdBytes, " bytes, got ", id.size()));
}

absl::Status CheckEpsilon(absl::string_view field, double epsilon) {
  if (std::isfinite(epsilon) && epsilon >= 0.0) return absl::OkStatus();
  return InvalidField(
      field, absl::StrCat("expected a finite L2 radius that is not negative, got ", epsilon));
}

absl::StatusOr<int> CheckPriority(absl::string_view field, std::int64_t priority,
                                  const ServedModel& model) {
  if (priority == 0) return model.default_priority();
  if (priority > 0 && priority <= kPriorityLevels) return static_cast<int>(priority);
  return InvalidField(
      field, absl::StrCat("expected 1 (computed first) to ", kPriorityLevels, ", or 0 for ",
                          model.default_priority(), ", got ", priority));
}

}  // namespace lipserve
