// SPDX-License-Identifier: Apache-2.0
// What a user writes after --input: a file name, with an optional range in Python's notation.
#ifndef CLIENT_INPUT_ARGUMENT_H_
#define CLIENT_INPUT_ARGUMENT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace lipserve {

// Which images of a file: one position, or a half-open range. Negative positions count from the
// end, as in Python.
struct ImageRange {
  bool single = false;                // [5]: `begin` alone
  std::optional<std::int64_t> begin;  // [:10] has none
  std::optional<std::int64_t> end;    // [-3:] has none
};

// A file and the images wanted from it.
struct InputArgument {
  std::string path;  // "-" is standard input
  std::optional<ImageRange> range;
};

// Positions [begin, end) of a file; begin <= end.
struct ResolvedRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// Parses "t10k-images-idx3-ubyte.gz[0:10]", "digit.png", "-".
//
// Errors: InvalidArgument if the text is empty, or ends in "]" without being a range.
absl::StatusOr<InputArgument> ParseInputArgument(const std::string& text);

// Positions that `argument` selects of a file of `count` images, with Python's meaning: the ends
// of a range are clipped to the file, a single position is not.
//
// Errors: OutOfRange if nothing is selected, naming the range and `count`.
absl::StatusOr<ResolvedRange> ResolveRange(const InputArgument& argument, std::int64_t count);

}  // namespace lipserve

#endif  // CLIENT_INPUT_ARGUMENT_H_
