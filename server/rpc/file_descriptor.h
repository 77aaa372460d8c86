// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_FILE_DESCRIPTOR_H_
#define SERVER_RPC_FILE_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace lipserve {

// Owns a file descriptor, and closes it.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.Release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  // The descriptor, or -1.
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

  // Gives the descriptor to the caller, who closes it.
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

}  // namespace lipserve

#endif  // SERVER_RPC_FILE_DESCRIPTOR_H_
