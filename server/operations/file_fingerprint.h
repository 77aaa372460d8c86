// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_FILE_FINGERPRINT_H_
#define SERVER_OPERATIONS_FILE_FINGERPRINT_H_

#include <cstdint>
#include <optional>
#include <string>

namespace lipserve {

// Detects that a file was written or replaced, without reading it. Equal fingerprints mean almost
// surely equal content. If they differ, read the file to find out.
struct FileFingerprint {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;

  friend bool operator==(const FileFingerprint&, const FileFingerprint&) = default;
};

// The fingerprint of the file at `path`; none if it is not a regular file. Follows symbolic links.
std::optional<FileFingerprint> FingerprintOf(const std::string& path);

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_FILE_FINGERPRINT_H_
