// SPDX-License-Identifier: Apache-2.0
// Files with a kind, a version and a checksum, written so that a crash leaves the old file or the
// new one, never a part. Format: proto/lipserve/v1/sealed_file.proto.
#ifndef MODEL_NETWORK_SEALED_FILE_H_
#define MODEL_NETWORK_SEALED_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipserve {

// What a file claims to be.
struct SealedFileKind {
  std::string kind;                  // e.g. "lipserve.model"
  std::uint32_t format_version = 0;  // to write; to read: the newest
  std::uint32_t oldest_version = 0;  // to read; 0: format_version only
};

// The checked content of a sealed file.
struct SealedContent {
  std::string bytes;
  std::string sha256;                // of `bytes`, 32 bytes
  std::uint32_t format_version = 0;  // of the file
};

// SHA-256 of `bytes`, 32 bytes (FIPS 180-4, by OpenSSL).
std::string Sha256(const std::string& bytes);

// Lower-case hexadecimal.
std::string ToHex(const std::string& bytes);

// Writes to a temporary name beside `path`, fsyncs, renames, fsyncs the folder.
//
// Errors: Internal, naming the path and the system's reason. The old file, if any, is then intact.
absl::Status WriteSealedFile(const std::string& path, const SealedFileKind& kind,
                             const std::string& content);

// Reads and checks a sealed file.
//
// Errors: NotFound if it cannot be opened; InvalidArgument for a wrong kind or version, for bytes
//         that are no SealedFile or not its canonical form, for what is no file, and for a file of
//         2^31 bytes or more; DataLoss if the checksum does not match.
absl::StatusOr<SealedContent> ReadSealedFile(const std::string& path, const SealedFileKind& kind);

// Replaces the file at `path` by `bytes` with the same care as WriteSealedFile.
absl::Status WriteFileAtomically(const std::string& path, const std::string& bytes);

}  // namespace lipserve

#endif  // MODEL_NETWORK_SEALED_FILE_H_
