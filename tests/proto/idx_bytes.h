// SPDX-License-Identifier: Apache-2.0
// Idx files for tests.
#ifndef TESTS_PROTO_IDX_BYTES_H_
#define TESTS_PROTO_IDX_BYTES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace lipserve {

// The bytes of an idx file of unsigned bytes.
inline std::string IdxBytes(const std::vector<std::uint32_t>& dimensions,
                            const std::vector<std::uint8_t>& values) {
  std::string bytes = {0, 0, 8, static_cast<char>(dimensions.size())};
  for (const std::uint32_t size : dimensions) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes += static_cast<char>(size >> shift);
  }
  return bytes + std::string(values.begin(), values.end());
}

}  // namespace lipserve

#endif  // TESTS_PROTO_IDX_BYTES_H_
