// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/block_inverse.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <vector>

#include "model/execution/onednn.h"

namespace lipserve::trainer {
namespace {

using onednn::Gemm;
using onednn::Op;

// Matrices with at most this many rows are inverted number by number.
constexpr std::size_t kSmallSide = 32;
// The smallest pivot, used where a matrix of zeros has no ridge.
constexpr double kSmallestPivot = 1e-12;

// A matrix in four blocks of its own memory; the first half is `half` rows.
struct Blocks {
  explicit Blocks(ConstMatrixView whole)
      : half(whole.rows / 2),
        rest(whole.rows - half),
        a(half * half),
        b(half * rest),
        c(rest * half),
        d(rest * rest) {
    ForEachRow(whole.rows, [&](std::size_t row, float* left, float* right) {
      const float* from = whole.data + row * whole.cols;
      std::copy_n(from, half, left);
      std::copy_n(from + half, rest, right);
    });
  }

  void CopyTo(MatrixView whole) {
    ForEachRow(whole.rows, [&](std::size_t row, const float* left, const float* right) {
      float* to = whole.data + row * whole.cols;
      std::copy_n(left, half, to);
      std::copy_n(right, rest, to + half);
    });
  }

  template <typename Visit>
  void ForEachRow(std::size_t rows, Visit visit) {
    for (std::size_t row = 0; row < rows; ++row) {
      if (row < half) {
        visit(row, &a[row * half], &b[row * rest]);
      } else {
        visit(row, &c[(row - half) * half], &d[(row - half) * rest]);
      }
    }
  }

  MatrixView A() { return {a.data(), half, half}; }
  MatrixView B() { return {b.data(), half, rest}; }
  MatrixView C() { return {c.data(), rest, half}; }
  MatrixView D() { return {d.data(), rest, rest}; }

  std::size_t half;
  std::size_t rest;
  std::vector<float> a, b, c, d;
};

// to -= factor * from.
void SubtractMultiple(double factor, const double* from, std::size_t count, double* to) {
  for (std::size_t i = 0; i < count; ++i) to[i] -= factor * from[i];
}

void Scale(double factor, std::size_t count, double* values) {
  for (std::size_t i = 0; i < count; ++i) values[i] *= factor;
}

void CopyToFloat32(const std::vector<double>& from, MatrixView to) {
  std::transform(from.begin(), from.end(), to.data,
                 [](double value) { return static_cast<float>(value); });
}

// Eliminates the rows below the diagonal. Applied to the identity, this gives L^-1 up to the scale
// of its rows.
void InvertSmallFactor(MatrixView gram, double smallest_pivot) {
  const std::size_t side = gram.rows;
  std::vector<double> matrix(gram.data, gram.data + gram.size());
  std::vector<double> inverse(matrix.size(), 0.0);
  for (std::size_t i = 0; i < side; ++i) inverse[i * side + i] = 1.0;
  for (std::size_t p = 0; p < side; ++p) {
    const double* pivot_row = &matrix[p * side];
    const double pivot = std::max(pivot_row[p], smallest_pivot);
    // A row with a smaller pivot is only noise, and elimination would spread it.
    const std::size_t end = pivot_row[p] < smallest_pivot ? p : side;
    for (std::size_t r = p + 1; r < end; ++r) {
      // The matrix stays symmetric: the entry to eliminate is that above the diagonal.
      const double factor = pivot_row[r] / pivot;
      SubtractMultiple(factor, pivot_row + r, side - r, &matrix[r * side + r]);
      SubtractMultiple(factor, &inverse[p * side], p + 1, &inverse[r * side]);
    }
    Scale(1.0 / std::sqrt(pivot), p + 1, &inverse[p * side]);
  }
  CopyToFloat32(inverse, gram);
}

// Gauss-Jordan elimination in place: once column p is eliminated, it holds column p of the inverse
// so far.
void InvertSmall(MatrixView positive) {
  const std::size_t side = positive.rows;
  std::vector<double> matrix(positive.data, positive.data + positive.size());
  for (std::size_t p = 0; p < side; ++p) {
    double* pivot_row = &matrix[p * side];
    const double inverse_pivot = 1.0 / pivot_row[p];
    pivot_row[p] = 1.0;
    Scale(inverse_pivot, side, pivot_row);
    for (std::size_t r = 0; r < side; ++r) {
      if (r == p) continue;
      double* row = &matrix[r * side];
      const double factor = row[p];
      row[p] = 0.0;
      SubtractMultiple(factor, pivot_row, side, row);
    }
  }
  CopyToFloat32(matrix, positive);
}

// NOLINTNEXTLINE(misc-no-recursion): halves the side until it is small.
void InvertFactor(MatrixView gram, double smallest_pivot) {
  if (gram.rows <= kSmallSide) return InvertSmallFactor(gram, smallest_pivot);
  Blocks blocks(gram);
  InvertFactor(blocks.A(), smallest_pivot);
  // B, which is C^T, makes room for C M^T, then for its product with M.
  const MatrixView c_times_m{blocks.b.data(), blocks.rest, blocks.half};
  Gemm(Op::kNone, Op::kTranspose, 1.0F, blocks.C(), blocks.A(), 0.0F, c_times_m);
  Gemm(Op::kNone, Op::kTranspose, -1.0F, c_times_m, c_times_m, 1.0F, blocks.D());
  InvertFactor(blocks.D(), smallest_pivot);
  Gemm(Op::kNone, Op::kNone, 1.0F, c_times_m, blocks.A(), 0.0F, blocks.C());
  std::copy(blocks.c.begin(), blocks.c.end(), blocks.b.begin());
  Gemm(Op::kNone, Op::kNone, -1.0F, blocks.D(), c_times_m, 0.0F, blocks.C());
  std::fill(blocks.b.begin(), blocks.b.end(), 0.0F);
  blocks.CopyTo(gram);
}

}  // namespace

void InvertCholeskyFactor(MatrixView gram) {
  assert(gram.rows == gram.cols);
  const std::size_t side = gram.rows;
  double trace = 0.0;
  for (std::size_t i = 0; i < side; ++i) trace += static_cast<double>(gram.data[i * side + i]);
  const double ridge = std::max(kGramRidge * trace / static_cast<double>(side), kSmallestPivot);
  for (std::size_t i = 0; i < side; ++i) {
    float& diagonal = gram.data[i * side + i];
    diagonal = static_cast<float>(static_cast<double>(diagonal) + ridge);
  }
  InvertFactor(gram, ridge);
}

// NOLINTNEXTLINE(misc-no-recursion): halves the side until it is small.
void InvertPositive(MatrixView matrix) {
  assert(matrix.rows == matrix.cols);
  if (matrix.rows <= kSmallSide) return InvertSmall(matrix);
  Blocks blocks(matrix);
  std::vector<float> p_times_b(blocks.b.size());
  std::vector<float> c_times_p(blocks.c.size());
  const MatrixView pb{p_times_b.data(), blocks.half, blocks.rest};
  const MatrixView cp{c_times_p.data(), blocks.rest, blocks.half};
  InvertPositive(blocks.A());
  Gemm(Op::kNone, Op::kNone, 1.0F, blocks.A(), blocks.B(), 0.0F, pb);
  Gemm(Op::kNone, Op::kNone, 1.0F, blocks.C(), blocks.A(), 0.0F, cp);
  Gemm(Op::kNone, Op::kNone, -1.0F, blocks.C(), pb, 1.0F, blocks.D());
  InvertPositive(blocks.D());
  Gemm(Op::kNone, Op::kNone, -1.0F, pb, blocks.D(), 0.0F, blocks.B());
  Gemm(Op::kNone, Op::kNone, -1.0F, blocks.D(), cp, 0.0F, blocks.C());
  Gemm(Op::kNone, Op::kNone, -1.0F, blocks.B(), cp, 1.0F, blocks.A());
  blocks.CopyTo(matrix);
}

}  // namespace lipserve::trainer
