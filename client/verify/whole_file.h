// SPDX-License-Identifier: Apache-2.0
#ifndef CLIENT_VERIFY_WHOLE_FILE_H_
#define CLIENT_VERIFY_WHOLE_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace lipserve::verify {

// The bytes of a file.
//
// Errors: NotFound if it cannot be opened; DataLoss if it cannot be read; InvalidArgument if it is
//         longer than max_bytes, which is found without reading the rest.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_WHOLE_FILE_H_
