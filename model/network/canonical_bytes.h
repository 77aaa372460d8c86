// SPDX-License-Identifier: Apache-2.0
#ifndef MODEL_NETWORK_CANONICAL_BYTES_H_
#define MODEL_NETWORK_CANONICAL_BYTES_H_

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace lipserve {

// The canonical form of a message: protobuf's deterministic serialisation, fields in the order of
// their numbers, each written once, defaults left out.
std::string CanonicalBytes(const google::protobuf::Message& message);

// Whether `bytes`, which `message` was parsed from, are its canonical form. Other bytes could mean
// one thing to this reader and another to the next: a field twice, two members of a oneof, fields
// that nobody knows. Drops the fields of `message` that this program does not know.
//
// Cost:   one serialisation; no copy of the bytes.
// Errors: InvalidArgument, naming the first byte that differs.
absl::Status CheckCanonical(google::protobuf::Message& message, const std::string& bytes);

}  // namespace lipserve

#endif  // MODEL_NETWORK_CANONICAL_BYTES_H_
