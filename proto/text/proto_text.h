// SPDX-License-Identifier: Apache-2.0
// Messages that people write by hand, as protobuf text: recipes, configurations.
//
// Example:
//   v1::Recipe recipe;
//   const absl::Status status = ParseProtoText(text, "mnist08.textproto", recipe);
//   // mnist08.textproto:14:10: Message type "lipserve.v1.Recipe" has no field named "batchsize".
//   // Did you mean "batch_size"?
#ifndef PROTO_TEXT_PROTO_TEXT_H_
#define PROTO_TEXT_PROTO_TEXT_H_

#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <string>

#include "absl/status/status.h"

namespace lipserve {

// Reads protobuf text; an unknown field is an error. `place` stands for the file in errors. Stores
// the line and column of each field in `locations`, if it is not null.
//
// Errors: InvalidArgument with "place:line:column: ..." for each mistake, one a line, and with the
//         field that was probably meant.
absl::Status ParseProtoText(const std::string& text, const std::string& place,
                            google::protobuf::Message& message,
                            google::protobuf::TextFormat::ParseInfoTree* locations = nullptr);

}  // namespace lipserve

#endif  // PROTO_TEXT_PROTO_TEXT_H_
