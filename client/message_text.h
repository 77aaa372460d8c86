// SPDX-License-Identifier: Apache-2.0
// Protobuf messages on one line for people.
#ifndef CLIENT_MESSAGE_TEXT_H_
#define CLIENT_MESSAGE_TEXT_H_

#include <google/protobuf/message.h>

#include <string>

namespace lipserve {

// "spectral_dense(units 32, use_bias)": the set fields of a message by name. A message that
// only picks one of several kinds shows that kind. Knows no message by name, so new layers and
// losses need no change here.
std::string MessageText(const google::protobuf::Message& message);

// The value of one field of `message`: "classes [0, 8]" gives "[0, 8]".
std::string FieldValueText(const google::protobuf::Message& message,
                           const google::protobuf::FieldDescriptor& field);

}  // namespace lipserve

#endif  // CLIENT_MESSAGE_TEXT_H_
