// SPDX-License-Identifier: Apache-2.0
// EXIF data for tests.
#ifndef TESTS_PROTO_EXIF_BYTES_H_
#define TESTS_PROTO_EXIF_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lipserve {

// An entry of a TIFF directory whose value lies in the entry.
struct TiffEntry {
  std::uint32_t tag = 0x0112;  // orientation
  std::uint32_t type = 3;
  std::uint32_t count = 1;
  std::uint32_t value = 1;
};

// A TIFF structure of one directory, in either byte order.
inline std::vector<std::uint8_t> TiffBytesOf(const std::vector<TiffEntry>& entries,
                                             bool big_endian) {
  std::vector<std::uint8_t> bytes;
  const auto append = [&](std::uint32_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t byte = big_endian ? size - 1 - i : i;
      bytes.push_back(static_cast<std::uint8_t>(value >> (8 * byte)));
    }
  };
  bytes.assign(2, big_endian ? 'M' : 'I');
  append(42, 2);
  append(8, 4);
  append(static_cast<std::uint32_t>(entries.size()), 2);
  for (const TiffEntry& entry : entries) {
    append(entry.tag, 2);
    append(entry.type, 2);
    append(entry.count, 4);
    append(entry.value, 2);
    append(0, 2);
  }
  append(0, 4);  // no further directory
  return bytes;
}

}  // namespace lipserve

#endif  // TESTS_PROTO_EXIF_BYTES_H_
