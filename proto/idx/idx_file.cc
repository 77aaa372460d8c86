// SPDX-License-Identifier: Apache-2.0
#include "proto/idx/idx_file.h"

#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lipserve {
namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 32;
constexpr std::uint8_t kUnsignedByte = 0x08;

struct GzClose {
  void operator()(gzFile file) const { gzclose(file); }
};
using GzHandle = std::unique_ptr<std::remove_pointer_t<gzFile>, GzClose>;

// What a read that came back short or failed says of the gzip stream; OK for a plain file or at the
// end of a whole stream. zlib reports a stream cut short as the end of the data, and only gzerror
// tells the two apart.
absl::Status GzipStatus(gzFile file, const std::string& path) {
  int code = Z_OK;
  const char* const message = gzerror(file, &code);
  if (code == Z_OK || code == Z_STREAM_END) return absl::OkStatus();
  if (code == Z_ERRNO) return absl::DataLossError(absl::StrCat(path, ": cannot read: ", message));
  return absl::DataLossError(absl::StrCat(path, code == Z_BUF_ERROR ? ": truncated" : ": corrupt",
                                          " gzip data: ", message));
}

// Reads exactly out.size() bytes; `what` names them in errors.
absl::Status ReadExactly(gzFile file, std::span<std::uint8_t> out, const std::string& what,
                         const std::string& path) {
  constexpr std::size_t kChunk = std::size_t{1} << 20;
  std::size_t done = 0;
  while (done < out.size()) {
    const std::size_t want = std::min(kChunk, out.size() - done);
    const int got = gzread(file, out.data() + done, static_cast<unsigned>(want));
    if (got <= 0) {
      if (auto status = GzipStatus(file, path); !status.ok()) return status;
      return absl::InvalidArgumentError(absl::StrCat(path, ": truncated: ", what, " needs ",
                                                     out.size(), " bytes, the file has ", done));
    }
    done += static_cast<std::size_t>(got);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<IdxArray> ReadIdxFile(const std::string& path) {
  errno = 0;
  const GzHandle file(gzopen(path.c_str(), "rb"));
  if (file == nullptr) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot open: ", std::strerror(errno)));
  }
  std::array<std::uint8_t, 4> magic{};
  if (auto status = ReadExactly(file.get(), magic, "the idx header", path); !status.ok()) {
    return status;
  }
  if (magic[0] != 0 || magic[1] != 0 || magic[3] == 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: not an idx file: expected it to start with 00 00 <type> <dimensions>, got %02x %02x "
        "%02x %02x",
        path, magic[0], magic[1], magic[2], magic[3]));
  }
  if (magic[2] != kUnsignedByte) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: idx element type: expected 0x08 (unsigned byte), got 0x%02x", path, magic[2]));
  }
  IdxArray array;
  std::uint64_t total = 1;
  for (int axis = 0; axis < magic[3]; ++axis) {
    std::array<std::uint8_t, 4> bytes{};
    if (auto status = ReadExactly(file.get(), bytes, "the idx dimensions", path); !status.ok()) {
      return status;
    }
    const std::uint32_t size = (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) |
                               (std::uint32_t{bytes[2]} << 8) | std::uint32_t{bytes[3]};
    array.dimensions.push_back(size);
    if (size != 0 && total > kMaxBytes / size) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": idx dimensions multiply to more than ", kMaxBytes, " bytes"));
    }
    total *= size;
  }
  // Grow with the data actually read, so that a hostile header cannot make us allocate 4 GiB.
  constexpr std::uint64_t kStep = std::uint64_t{1} << 24;
  while (array.values.size() < total) {
    const std::size_t begin = array.values.size();
    array.values.resize(begin + std::min(kStep, total - begin));
    const std::span<std::uint8_t> part(array.values.data() + begin, array.values.size() - begin);
    if (auto status = ReadExactly(file.get(), part, absl::StrCat("data from byte ", begin), path);
        !status.ok()) {
      return status;
    }
  }
  std::uint8_t extra = 0;
  const int after = gzread(file.get(), &extra, 1);
  if (after <= 0) {
    if (auto status = GzipStatus(file.get(), path); !status.ok()) return status;
  }
  if (after > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": longer than its header says: expected ", total, " data bytes"));
  }
  return array;
}

}  // namespace lipserve
