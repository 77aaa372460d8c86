// SPDX-License-Identifier: Apache-2.0
#include "proto/image/exif_orientation.h"

#include "absl/strings/str_cat.h"

namespace lipserve {
namespace {

constexpr std::size_t kHeaderBytes = 8;  // byte order, 42, offset of the first directory
constexpr std::size_t kEntryBytes = 12;  // tag, type, count, value
constexpr std::uint32_t kMagic = 42;
constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::uint32_t kShort = 3;
constexpr std::uint32_t kLargest = 8;

// Integers of a TIFF structure in its byte order.
class TiffBytes {
 public:
  TiffBytes(std::span<const std::uint8_t> bytes, bool big_endian)
      : bytes_(bytes), big_endian_(big_endian) {}

  std::size_t size() const { return bytes_.size(); }
  // Requires: at + size <= size().
  std::uint32_t Integer(std::size_t at, std::size_t size) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value = value << 8U | bytes_[at + (big_endian_ ? i : size - 1 - i)];
    }
    return value;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  bool big_endian_;
};

ExifOrientation Damaged(const std::string& what) { return {.error = "damaged EXIF data: " + what}; }

// Requires: the entry at `at` is that of the orientation and lies inside.
ExifOrientation ReadEntry(const TiffBytes& tiff, std::size_t at) {
  const std::uint32_t type = tiff.Integer(at + 2, 2);
  const std::uint32_t count = tiff.Integer(at + 4, 4);
  if (type != kShort || count != 1) {
    return Damaged(
        absl::StrCat("orientation: expected one number of type 3, got ", count, " of type ", type));
  }
  const std::uint32_t value = tiff.Integer(at + 8, 2);
  if (value > kLargest) {
    return Damaged(absl::StrCat("orientation: expected 1 to 8, got ", value));
  }
  return {.value = value == 0 ? 1 : static_cast<int>(value), .error = ""};
}

}  // namespace

ExifOrientation ReadExifOrientation(std::span<const std::uint8_t> tiff) {
  if (tiff.size() > kMaxExifBytes) {
    return Damaged(absl::StrCat(tiff.size(), " bytes, more than ", kMaxExifBytes));
  }
  const bool big_endian = tiff.size() >= 2 && tiff[0] == 'M' && tiff[1] == 'M';
  const bool little_endian = tiff.size() >= 2 && tiff[0] == 'I' && tiff[1] == 'I';
  const TiffBytes bytes(tiff, big_endian);
  if (tiff.size() < kHeaderBytes || !(big_endian || little_endian) ||
      bytes.Integer(2, 2) != kMagic) {
    return Damaged("expected a TIFF header");
  }
  const std::size_t directory = bytes.Integer(4, 4);
  if (directory > tiff.size() || tiff.size() - directory < 2) {
    return Damaged(absl::StrCat("its directory at byte ", directory, " is beyond its ", tiff.size(),
                                " bytes"));
  }
  const std::size_t entries = bytes.Integer(directory, 2);
  if (entries > (tiff.size() - directory - 2) / kEntryBytes) {
    return Damaged(absl::StrCat("a directory of ", entries, " entries at byte ", directory,
                                " does not fit its ", tiff.size(), " bytes"));
  }
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t at = directory + 2 + i * kEntryBytes;
    if (bytes.Integer(at, 2) == kOrientationTag) return ReadEntry(bytes, at);
  }
  return {};
}

}  // namespace lipserve
