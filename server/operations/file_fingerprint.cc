// SPDX-License-Identifier: Apache-2.0
#include "server/operations/file_fingerprint.h"

#include <sys/stat.h>

namespace lipserve {

std::optional<FileFingerprint> FingerprintOf(const std::string& path) {
  constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0 || !S_ISREG(file.st_mode)) return std::nullopt;
  return FileFingerprint{
      .device = file.st_dev,
      .inode = file.st_ino,
      .size = file.st_size,
      .modified_ns = file.st_mtim.tv_sec * kNanosecondsPerSecond + file.st_mtim.tv_nsec};
}

}  // namespace lipserve
