// SPDX-License-Identifier: Apache-2.0
// Errors for clients: a message for people, and google.rpc details for programs. The details are
// payloads of the status.
//
//   return InvalidField("epsilon", "expected a finite number, got nan");
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

// An InvalidArgument "FIELD: DESCRIPTION", with a google.rpc.BadRequest of the same content.
absl::Status InvalidField(absl::string_view field, absl::string_view description);

// Makes text from a client safe for an error message: quoted, escaped, and cut at 128 bytes.
std::string Quoted(absl::string_view text);

// Adds a google.rpc.RetryInfo: the client should retry after `delay`. RetryDelay reads it back.
void SetRetryDelay(absl::Status& status, std::chrono::milliseconds delay);
std::optional<std::chrono::milliseconds> RetryDelay(const absl::Status& status);

// Converts a status with its details to the message google.rpc.Status.
void ToRpcStatus(const absl::Status& status, google::rpc::Status& message);

// Converts a status with its details to a gRPC status. The codes are the same numbers.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_REQUEST_ERROR_H_
