// SPDX-License-Identifier: Apache-2.0
// Names that become labels in files, and text from outside that is shown on a terminal.
#ifndef PROTO_TEXT_LABEL_TEXT_H_
#define PROTO_TEXT_LABEL_TEXT_H_

#include <cstddef>
#include <string>

namespace lipserve {

// As long as a file's name may be.
inline constexpr std::size_t kMaxLabelBytes = 255;

// Why `name` cannot be a class label, or "". A label has 1 to kMaxLabelBytes bytes of UTF-8 without
// control characters. Protobuf refuses to read a string that is not UTF-8.
//
// Example: LabelProblem("caf\xe9") is "byte 3 is not UTF-8".
std::string LabelProblem(const std::string& name);

// `text` with control characters, except line breaks, and bytes that are not UTF-8 written as \xHH.
// So no name of a file can steer a terminal.
std::string Visible(const std::string& text);

// The same for a name within a message, where a line break would look like the end of it.
std::string VisibleName(const std::string& name);

}  // namespace lipserve

#endif  // PROTO_TEXT_LABEL_TEXT_H_
