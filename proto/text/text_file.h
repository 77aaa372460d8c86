// SPDX-License-Identifier: Apache-2.0
#ifndef PROTO_TEXT_TEXT_FILE_H_
#define PROTO_TEXT_TEXT_FILE_H_

#include <string>

#include "absl/status/statusor.h"

namespace lipserve {

// The text of a file that a person writes: a recipe, a configuration, a policy, a certificate in
// PEM. Reads at most 1 MiB, so that no other file, pipe or device given by mistake fills the
// memory.
//
// Errors: NotFound if it cannot be opened or read; InvalidArgument for a longer one.
absl::StatusOr<std::string> ReadTextFile(const std::string& path);

}  // namespace lipserve

#endif  // PROTO_TEXT_TEXT_FILE_H_
