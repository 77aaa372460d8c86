// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/crc32c.h"

#include <array>
#include <cstddef>

namespace lipserve::trainer {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78U;
constexpr std::uint32_t kMaskDelta = 0xa282ead8U;

// Remainders of all single bytes.
constexpr std::array<std::uint32_t, 256> MakeTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1U) ^ ((remainder & 1U) != 0 ? kPolynomial : 0U);
    }
    table[byte] = remainder;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kTable = MakeTable();

}  // namespace

std::uint32_t Crc32c(const std::string& bytes) {
  std::uint32_t remainder = ~0U;
  for (const char c : bytes) {
    const std::uint32_t index = (remainder ^ static_cast<unsigned char>(c)) & 0xffU;
    remainder = (remainder >> 8U) ^ kTable[index];
  }
  return ~remainder;
}

std::uint32_t MaskedCrc32c(const std::string& bytes) {
  const std::uint32_t crc = Crc32c(bytes);
  return ((crc >> 15U) | (crc << 17U)) + kMaskDelta;
}

}  // namespace lipserve::trainer
