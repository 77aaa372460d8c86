// SPDX-License-Identifier: Apache-2.0
// Validates the fields that requests of every protocol share.
//
// Errors: InvalidArgument naming the field, what was expected and what was found.
#ifndef SERVER_PROTOCOLS_REQUEST_CHECKS_H_
#define SERVER_PROTOCOLS_REQUEST_CHECKS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/repository/served_model.h"

namespace lipserve {

// Checks a request id, which the response repeats: at most 128 bytes.
absl::Status CheckRequestId(absl::string_view field, const std::string& id);

// Checks an epsilon: finite and not negative.
absl::Status CheckEpsilon(absl::string_view field, double epsilon);

// Checks a priority and returns it; 0 stands for the model's default.
absl::StatusOr<int> CheckPriority(absl::string_view field, std::int64_t priority,
                                  const ServedModel& model);

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_REQUEST_CHECKS_H_
