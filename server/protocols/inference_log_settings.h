// SPDX-License-Identifier: Apache-2.0
// Converts between the log settings of the Open Inference Protocol and LogSettings.
#ifndef SERVER_PROTOCOLS_INFERENCE_LOG_SETTINGS_H_
#define SERVER_PROTOCOLS_INFERENCE_LOG_SETTINGS_H_

#include "absl/status/statusor.h"
#include "inference/grpc_service.pb.h"
#include "server/operations/log_control.h"

namespace lipserve {

// Returns `settings` with the changes of `request`: all of them, or an error.
//
// Errors: InvalidArgument naming the setting, what was expected and what was found.
absl::StatusOr<LogSettings> ApplyLogSettings(const inference::LogSettingsRequest& request,
                                             LogSettings settings);

// Writes into an empty `response`.
void DescribeLog(const LogSettings& settings, inference::LogSettingsResponse& response);

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_INFERENCE_LOG_SETTINGS_H_
