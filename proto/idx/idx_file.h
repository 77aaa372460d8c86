// SPDX-License-Identifier: Apache-2.0
// idx: the file format of MNIST and its relatives, plain or gzipped.
//
// Source: http://yann.lecun.com/exdb/mnist/ ("the IDX file format"): two zero bytes, a type byte,
//         a byte with the number of dimensions, each dimension as a big-endian 32-bit integer,
//         then the elements in row-major order.
#ifndef PROTO_IDX_IDX_FILE_H_
#define PROTO_IDX_IDX_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lipserve {

// An idx array of unsigned bytes.
struct IdxArray {
  std::vector<std::int64_t> dimensions;  // at least one; each at least 0
  std::vector<std::uint8_t> values;      // product(dimensions) bytes, row-major
};

// Reads an idx file of unsigned bytes; gzip is recognised by content, not by name.
//
// Errors: NotFound if the file cannot be opened; InvalidArgument if it is not idx, its type is not
//         unsigned byte (0x08), its dimensions multiply to more than 2^32 bytes, or the data is
//         shorter or longer than the header says; DataLoss if the gzip stream is corrupt.
absl::StatusOr<IdxArray> ReadIdxFile(const std::string& path);

}  // namespace lipserve

#endif  // PROTO_IDX_IDX_FILE_H_
