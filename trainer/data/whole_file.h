// SPDX-License-Identifier: Apache-2.0
// A file's bytes in memory.
#ifndef TRAINER_DATA_WHOLE_FILE_H_
#define TRAINER_DATA_WHOLE_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace lipserve::trainer {

// Reads a file of at most `max_bytes`.
//
// Errors: NotFound if it cannot be opened, InvalidArgument if it is larger, DataLoss if reading
//         fails; all name the file and the system's reason.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path, std::uint64_t max_bytes);

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_WHOLE_FILE_H_
