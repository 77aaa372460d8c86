// SPDX-License-Identifier: Apache-2.0
#include "model/network/sealed_file.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lipserve/v1/sealed_file.pb.h"
#include "model/foundation/status_macros.h"
#include "model/network/canonical_bytes.h"

namespace lipserve {
namespace {

constexpr std::uintmax_t kMaxFileBytes = std::numeric_limits<std::int32_t>::max();

absl::Status SystemError(const std::string& path, const char* action) {
  return absl::InternalError(absl::StrCat(path, ": cannot ", action, ": ", std::strerror(errno)));
}

// A file descriptor that closes itself.
class FileDescriptor {
 public:
  FileDescriptor(const std::string& path, int flags) : fd_(open(path.c_str(), flags, 0644)) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status WriteAndSync(const std::string& path, const std::string& bytes) {
  const FileDescriptor file(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
  if (file.get() < 0) return SystemError(path, "create");
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written = write(file.get(), bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return SystemError(path, "write");
    done += static_cast<std::size_t>(written);
  }
  if (fsync(file.get()) != 0) return SystemError(path, "fsync");
  return absl::OkStatus();
}

// The bytes of a regular file.
absl::StatusOr<std::string> ReadBytes(const std::string& path) {
  std::error_code error;
  const auto type = std::filesystem::status(path, error).type();
  if (type == std::filesystem::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot open: ", std::strerror(ENOENT)));
  }
  if (type != std::filesystem::file_type::regular && type != std::filesystem::file_type::unknown) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected a file, got a folder, a pipe or a device"));
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot open: ", std::strerror(errno)));
  }
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) {
    return absl::DataLossError(absl::StrCat(path, ": cannot read: ", error.message()));
  }
  if (size > kMaxFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected at most ", kMaxFileBytes,
                                                   " bytes, the most that one protobuf message "
                                                   "can have, got ",
                                                   size));
  }
  std::string bytes(size, '\0');
  stream.read(bytes.data(), static_cast<std::streamsize>(size));
  if (stream.bad() || static_cast<std::uintmax_t>(stream.gcount()) != size) {
    return absl::DataLossError(
        absl::StrCat(path, ": cannot read: expected ", size, " bytes, got ", stream.gcount()));
  }
  return bytes;
}

}  // namespace

std::string Sha256(const std::string& bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string ToHex(const std::string& bytes) { return absl::BytesToHexString(bytes); }

absl::Status WriteFileAtomically(const std::string& path, const std::string& bytes) {
  const std::string temporary = absl::StrCat(path, ".tmp.", getpid());
  if (absl::Status status = WriteAndSync(temporary, bytes); !status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    absl::Status status = SystemError(path, "rename onto");
    unlink(temporary.c_str());
    return status;
  }
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  const FileDescriptor directory(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory.get() < 0 || fsync(directory.get()) != 0) return SystemError(folder, "fsync");
  return absl::OkStatus();
}

absl::Status WriteSealedFile(const std::string& path, const SealedFileKind& kind,
                             const std::string& content) {
  v1::SealedFile file;
  file.set_kind(kind.kind);
  file.set_format_version(kind.format_version);
  file.set_content_sha256(Sha256(content));
  file.set_content(content);
  return WriteFileAtomically(path, CanonicalBytes(file));
}

absl::StatusOr<SealedContent> ReadSealedFile(const std::string& path, const SealedFileKind& kind) {
  LIPSERVE_ASSIGN_OR_RETURN(std::string bytes, ReadBytes(path));
  v1::SealedFile file;
  if (!file.ParseFromString(bytes) || file.kind().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected a lipserve file of kind ",
                                                   kind.kind, ", got ", bytes.size(),
                                                   " bytes that are none, or a truncated one"));
  }
  if (file.kind() != kind.kind) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": kind: expected ", kind.kind, ", got ", file.kind()));
  }
  const std::uint32_t oldest = kind.oldest_version != 0 ? kind.oldest_version : kind.format_version;
  if (file.format_version() < oldest || file.format_version() > kind.format_version) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": format version: this program reads ",
                     oldest < kind.format_version ? absl::StrCat(oldest, " to ") : "",
                     kind.format_version, ", the file has ", file.format_version(),
                     "; use the lipserve release that wrote it, or write it again"));
  }
  if (const absl::Status canonical = CheckCanonical(file, bytes); !canonical.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": SealedFile: ", std::string(canonical.message())));
  }
  std::string().swap(bytes);  // a large file is held twice, not three times
  SealedContent content{.bytes = std::move(*file.mutable_content()),
                        .sha256 = "",
                        .format_version = file.format_version()};
  content.sha256 = Sha256(content.bytes);
  if (content.sha256 != file.content_sha256()) {
    return absl::DataLossError(absl::StrCat(
        path, ": SHA-256 of the content: expected ", ToHex(file.content_sha256()), ", got ",
        ToHex(content.sha256), "; the file is corrupt, copy or train it again"));
  }
  return content;
}

}  // namespace lipserve
