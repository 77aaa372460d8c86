// SPDX-License-Identifier: Apache-2.0
// Errors that clients can read: a message for people, and the same as google.rpc details for
// programs, which travel with a status as its payloads.
#ifndef SERVER_OPERATIONS_REQUEST_ERROR_H_
#define SERVER_OPERATIONS_REQUEST_ERROR_H_

#include <grpcpp/support/status.h>

#include <chrono>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/rpc/status.pb.h"

namespace lipserve {

// InvalidArgument "FIELD: DESCRIPTION", with a google.rpc.BadRequest that says so too.
absl::Status InvalidField(absl::string_view field, absl::string_view description);

// Text that a client sent, made fit for an error message: in quotes, escaped and cut short.
std::string Quoted(absl::string_view text);

// Adds to an error that the client should wait so long before it tries again
// (google.rpc.RetryInfo).
void SetRetryDelay(absl::Status& status, std::chrono::milliseconds delay);
std::optional<std::chrono::milliseconds> RetryDelay(const absl::Status& status);

// The same status, with its details, as it is put into a message.
void ToRpcStatus(const absl::Status& status, google::rpc::Status& message);

// The same status, with its details, as a call ends with it. The codes are the same numbers.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_REQUEST_ERROR_H_
