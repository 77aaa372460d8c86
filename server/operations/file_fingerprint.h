// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_FILE_FINGERPRINT_H_
#define SERVER_OPERATIONS_FILE_FINGERPRINT_H_

#include <cstdint>
#include <optional>
#include <string>

namespace lipserve {

// What changes when a file is written or replaced, without reading it. Equal fingerprints mean:
// almost surely the same content; different ones: look.
struct FileFingerprint {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;

  friend bool operator==(const FileFingerprint&, const FileFingerprint&) = default;
};

// None if there is no regular file at `path`; symbolic links are followed.
std::optional<FileFingerprint> FingerprintOf(const std::string& path);

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_FILE_FINGERPRINT_H_
