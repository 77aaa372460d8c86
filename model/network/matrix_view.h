// SPDX-License-Identifier: Apache-2.0
// Borrowed row-major float32 matrices. A batch of N samples is a matrix of N rows; a row is one
// sample, [C, H, W] flattened.
#ifndef MODEL_NETWORK_MATRIX_VIEW_H_
#define MODEL_NETWORK_MATRIX_VIEW_H_

#include <cassert>
#include <cstddef>
#include <span>

namespace lipserve {

// A read-only matrix. Does not own `data`.
struct ConstMatrixView {
  const float* data = nullptr;  // rows * cols numbers, row-major, dense
  std::size_t rows = 0;
  std::size_t cols = 0;

  std::size_t size() const { return rows * cols; }
  std::span<const float> row(std::size_t r) const {
    assert(r < rows);
    return {data + r * cols, cols};
  }
};

// A writable matrix. Does not own `data`.
struct MatrixView {
  float* data = nullptr;  // rows * cols numbers, row-major, dense
  std::size_t rows = 0;
  std::size_t cols = 0;

  std::size_t size() const { return rows * cols; }
  std::span<float> row(std::size_t r) const {
    assert(r < rows);
    return {data + r * cols, cols};
  }
  // NOLINTNEXTLINE(google-explicit-constructor): a writable view is a readable one.
  operator ConstMatrixView() const { return {data, rows, cols}; }
};

}  // namespace lipserve

#endif  // MODEL_NETWORK_MATRIX_VIEW_H_
