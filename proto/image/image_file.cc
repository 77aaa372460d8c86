// SPDX-License-Identifier: Apache-2.0
#include "proto/image/image_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/image/jpeg_file.h"
#include "proto/image/png_file.h"

namespace lipserve {

bool IsImageFileName(const std::string& name) {
  constexpr std::array<const char*, 3> kEndings = {".png", ".jpg", ".jpeg"};
  return std::any_of(kEndings.begin(), kEndings.end(), [&name](const char* ending) {
    return absl::EndsWithIgnoreCase(name, ending);
  });
}

absl::StatusOr<PixelImage> ReadImageFile(const std::string& path) {
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot open: ", std::strerror(errno)));
  }
  constexpr char kPng[] = "\x89PNG";
  constexpr char kJpeg[] = "\xff\xd8\xff";
  std::string start(4, '\0');
  stream.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(stream.gcount()));
  stream.close();
  if (start.starts_with(kPng)) return ReadPngFile(path);
  if (start.starts_with(kJpeg)) return ReadJpegFile(path);
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": expected a PNG or JPEG image, got ",
      start.empty() ? std::string("an empty file")
                    : absl::StrCat("a file that starts with \"", absl::CHexEscape(start), "\""),
      "; convert it, or move it elsewhere"));
}

}  // namespace lipserve
