// SPDX-License-Identifier: Apache-2.0
#include "proto/text/text_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace lipserve {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{1} << 20;

}  // namespace

absl::StatusOr<std::string> ReadTextFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxTextBytes + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad()) {
    return absl::NotFoundError(absl::StrCat(
        path, ": cannot read: ", errno == 0 ? "no reason given" : std::strerror(errno)));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() <= kMaxTextBytes) return text;
  return absl::InvalidArgumentError(absl::StrCat(path, ": expected a text of at most ",
                                                 kMaxTextBytes,
                                                 " bytes, got more; is it the right "
                                                 "file?"));
}

}  // namespace lipserve
