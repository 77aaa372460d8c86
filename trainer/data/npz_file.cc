// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/npz_file.h"

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/data/whole_file.h"

namespace lipserve::trainer {
namespace {

constexpr std::size_t kMaxArchiveBytes = std::size_t{1} << 30;
constexpr std::size_t kEndBytes = 22;  // of the record at the end, without its comment
constexpr std::size_t kMaxComment = 65535;
constexpr std::size_t kEntryBytes = 46;   // of an entry of the directory, without its names
constexpr std::size_t kHeaderBytes = 30;  // before each file, without its names

// An unsigned number of the archive, or nothing beyond its end.
std::uint64_t NumberAt(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t number = 0;
  for (std::size_t i = size; i-- > 0;) {
    number = (number << 8) | static_cast<std::uint8_t>(bytes[at + i]);
  }
  return number;
}

absl::Status Damaged(const std::string& path, const char* what) {
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": expected an archive saved by numpy.savez, got ", what, "; save it again"));
}

// The number of entries and where the directory begins.
struct Directory {
  std::size_t entries = 0;
  std::size_t begin = 0;
};

absl::StatusOr<Directory> FindDirectory(const std::string& path, std::string_view bytes) {
  const std::string_view kEnd("PK\x05\x06", 4);
  const std::size_t tail = kEndBytes + kMaxComment;
  const std::size_t from = bytes.size() > tail ? bytes.size() - tail : 0;
  const std::size_t found = bytes.rfind(kEnd);
  if (found == std::string_view::npos || found < from || bytes.size() - found < kEndBytes) {
    return Damaged(path, "a file without a directory");
  }
  return Directory{.entries = NumberAt(bytes, found + 10, 2),
                   .begin = NumberAt(bytes, found + 16, 4)};
}

absl::StatusOr<std::string> Inflate(const std::string& path, std::string_view compressed,
                                    std::size_t size) {
  std::string result(size, '\0');
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return absl::InternalError("zlib: cannot begin");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(size);
  const int status = inflate(&stream, Z_FINISH);
  const bool is_whole = status == Z_STREAM_END && stream.avail_out == 0;
  inflateEnd(&stream);
  if (!is_whole) return Damaged(path, "compressed data of another size");
  return result;
}

// One entry of the directory.
struct Entry {
  std::string name;
  std::string content;
  std::size_t next = 0;  // where the next entry begins
};

absl::StatusOr<Entry> ReadEntry(const std::string& path, std::string_view bytes, std::size_t at,
                                std::size_t& budget) {
  if (at > bytes.size() || bytes.size() - at < kEntryBytes ||
      bytes.substr(at, 4) != std::string_view("PK\x01\x02", 4)) {
    return Damaged(path, "a damaged directory");
  }
  const std::uint64_t method = NumberAt(bytes, at + 10, 2);
  const std::size_t stored = NumberAt(bytes, at + 20, 4);
  const std::size_t size = NumberAt(bytes, at + 24, 4);
  const std::size_t name_size = NumberAt(bytes, at + 28, 2);
  const std::size_t names = name_size + NumberAt(bytes, at + 30, 2) + NumberAt(bytes, at + 32, 2);
  const std::size_t header = NumberAt(bytes, at + 42, 4);
  if (bytes.size() - at - kEntryBytes < names || header > bytes.size() ||
      bytes.size() - header < kHeaderBytes) {
    return Damaged(path, "a damaged directory");
  }
  const std::size_t begin =
      header + kHeaderBytes + NumberAt(bytes, header + 26, 2) + NumberAt(bytes, header + 28, 2);
  if (begin > bytes.size() || bytes.size() - begin < stored || size > budget) {
    return Damaged(path, "an array beyond its end, or more than 2^30 bytes");
  }
  budget -= size;
  Entry entry{.name = std::string(bytes.substr(at + kEntryBytes, name_size)),
              .content = {},
              .next = at + kEntryBytes + names};
  const std::string_view data = bytes.substr(begin, stored);
  if (method == 0 && stored == size) {
    entry.content = std::string(data);
  } else if (method == Z_DEFLATED) {
    LIPSERVE_ASSIGN_OR_RETURN(entry.content, Inflate(path, data, size));
  } else {
    return Damaged(path, "an array with another compression");
  }
  return entry;
}

}  // namespace

absl::StatusOr<std::map<std::string, NpyNumbers>> ReadNpzFile(const std::string& path) {
  LIPSERVE_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(path, kMaxArchiveBytes));
  LIPSERVE_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(path, bytes));
  std::map<std::string, NpyNumbers> arrays;
  std::size_t budget = kMaxArchiveBytes;
  std::size_t at = directory.begin;
  for (std::size_t i = 0; i < directory.entries; ++i) {
    LIPSERVE_ASSIGN_OR_RETURN(Entry entry, ReadEntry(path, bytes, at, budget));
    at = entry.next;
    if (entry.name.ends_with(".npy")) entry.name.resize(entry.name.size() - 4);
    absl::StatusOr<NpyNumbers> array =
        ParseNpyNumbers(absl::StrCat(path, ": ", entry.name), entry.content);
    if (array.ok()) arrays[entry.name] = *std::move(array);
  }
  return arrays;
}

}  // namespace lipserve::trainer
