// SPDX-License-Identifier: Apache-2.0
// The checksum that TensorFlow's record files carry.
#ifndef TRAINER_RUN_CRC32C_H_
#define TRAINER_RUN_CRC32C_H_

#include <cstdint>
#include <string>

namespace lipserve::trainer {

// CRC-32C (Castagnoli), reflected polynomial 0x82f63b78.
//
// Source: RFC 3720, section 12.1 and appendix B.4.
std::uint32_t Crc32c(const std::string& bytes);

// The checksum as record files store it: rotated and moved, so that a file which holds checksums of
// its own content does not confuse the sum.
//
// Source: TensorFlow, tsl/lib/hash/crc32c.h, Mask.
std::uint32_t MaskedCrc32c(const std::string& bytes);

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_CRC32C_H_
