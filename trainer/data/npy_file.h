// SPDX-License-Identifier: Apache-2.0
// Arrays that NumPy saved with numpy.save.
//
// Source: NEP 1 and numpy.lib.format: "\x93NUMPY", two bytes of version, the length of the header
//         (2 bytes in version 1, 4 in 2 and 3, little-endian), the header as a Python dictionary
//         {'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), }, then the elements.
#ifndef TRAINER_DATA_NPY_FILE_H_
#define TRAINER_DATA_NPY_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace lipserve::trainer {

// The integers of one file. At most one of the vectors is used.
struct NpyArray {
  std::vector<std::size_t> shape;
  std::vector<std::uint8_t> bytes;     // of a uint8 array, row-major
  std::vector<std::int64_t> integers;  // of an array of any other integer type, row-major
};

// Reads an array of integers: uint8, or int8 to uint64 in either byte order.
//
// Errors: NotFound if the file cannot be opened; InvalidArgument, naming the file, what was
//         expected, what was found and how to save it, if it is no npy file, holds other elements
//         (floats, Python objects), is in Fortran order, is larger than 2^33 bytes, has more or
//         fewer elements than its header says, or an integer beyond int64.
absl::StatusOr<NpyArray> ReadNpyFile(const std::string& path);

// The numbers of an array of floats, integers or booleans.
struct NpyNumbers {
  std::vector<std::size_t> shape;
  std::vector<double> numbers;  // row-major
};

// Parses the bytes of a file that numpy.save wrote; `name` is for errors.
//
// Errors: InvalidArgument as above, if it holds elements other than float32, float64, integers of 8
//         to 64 bits and booleans.
absl::StatusOr<NpyNumbers> ParseNpyNumbers(const std::string& name, std::string_view bytes);

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_NPY_FILE_H_
