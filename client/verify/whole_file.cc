// SPDX-License-Identifier: Apache-2.0
#include "client/verify/whole_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace lipserve::verify {

absl::StatusOr<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot open: ", std::strerror(errno)));
  }
  std::string bytes;
  std::vector<char> chunk(std::size_t{1} << 16);
  const auto chunk_size = static_cast<std::streamsize>(chunk.size());
  while (stream.read(chunk.data(), chunk_size) || stream.gcount() > 0) {
    bytes.append(chunk.data(), static_cast<std::size_t>(stream.gcount()));
    if (bytes.size() > max_bytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": expected at most ", max_bytes, " bytes, got more"));
    }
  }
  if (stream.bad()) {
    return absl::DataLossError(absl::StrCat(path, ": cannot read: ", std::strerror(errno)));
  }
  return bytes;
}

}  // namespace lipserve::verify
