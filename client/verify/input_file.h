// SPDX-License-Identifier: Apache-2.0
// Trusted if --input is used: reads that input.
#ifndef CLIENT_VERIFY_INPUT_FILE_H_
#define CLIENT_VERIFY_INPUT_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "client/verify/answer_check.h"

namespace lipserve::verify {

// One input and how its numbers are stored.
struct InputItem {
  ElementType element_type = ElementType::kFloat32;
  std::string data;
};

// Reads "digits.idx.gz[17]": item 17 of an idx file of pixels, plain or gzipped, or of a *.f32 file
// of little-endian float32 numbers. Without the brackets it is item 0.
//
// Errors: of the reader; InvalidArgument if the file holds no whole number of items; OutOfRange if
//         it has no such item.
absl::StatusOr<InputItem> ReadInputItem(const std::string& argument, std::size_t input_size);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_INPUT_FILE_H_
