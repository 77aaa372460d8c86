// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/float64_inverse.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace lipserve::trainer {
namespace {

// What a pivot may be at least where a matrix of zeros leaves no ridge.
constexpr double kSmallestPivot = 1e-12;

// to -= factor * from, the loop that all the work is in.
void SubtractMultiple(double factor, const double* from, std::size_t count, double* to) {
  for (std::size_t i = 0; i < count; ++i) to[i] -= factor * from[i];
}

void Scale(double factor, std::size_t count, double* values) {
  for (std::size_t i = 0; i < count; ++i) values[i] *= factor;
}

}  // namespace

Float64Inverse::Float64Inverse(std::size_t side)
    : side_(side), matrix_(side * side), inverse_(side * side) {}

// Elimination of the rows below the diagonal, in rows of U = L^T: what it does to the identity is
// L^-1 but for the scale of its rows.
void Float64Inverse::InverseCholeskyFactor(ConstMatrixView gram, MatrixView inverse_factor) {
  assert(gram.rows == side_ && gram.cols == side_);
  std::copy_n(gram.data, gram.size(), matrix_.begin());
  double trace = 0.0;
  for (std::size_t i = 0; i < side_; ++i) trace += matrix_[i * side_ + i];
  const double ridge = std::max(kGramRidge * trace / static_cast<double>(side_), kSmallestPivot);
  for (std::size_t i = 0; i < side_; ++i) matrix_[i * side_ + i] += ridge;
  std::fill(inverse_.begin(), inverse_.end(), 0.0);
  for (std::size_t i = 0; i < side_; ++i) inverse_[i * side_ + i] = 1.0;

  for (std::size_t p = 0; p < side_; ++p) {
    const double* pivot_row = &matrix_[p * side_];
    const double pivot = std::max(pivot_row[p], ridge);
    for (std::size_t r = p + 1; r < side_; ++r) {
      // The matrix stays symmetric: the entry to eliminate is that above the diagonal.
      const double factor = pivot_row[r] / pivot;
      SubtractMultiple(factor, pivot_row + r, side_ - r, &matrix_[r * side_ + r]);
      SubtractMultiple(factor, &inverse_[p * side_], p + 1, &inverse_[r * side_]);
    }
    Scale(1.0 / std::sqrt(pivot), p + 1, &inverse_[p * side_]);
  }
  std::transform(inverse_.begin(), inverse_.end(), inverse_factor.data,
                 [](double value) { return static_cast<float>(value); });
}

void Float64Inverse::InversePositive(ConstMatrixView matrix, MatrixView inverse) {
  assert(matrix.rows == side_ && matrix.cols == side_);
  std::copy_n(matrix.data, matrix.size(), matrix_.begin());
  // In place: once column p is eliminated, it holds column p of the inverse so far.
  for (std::size_t p = 0; p < side_; ++p) {
    double* pivot_row = &matrix_[p * side_];
    const double inverse_pivot = 1.0 / pivot_row[p];
    pivot_row[p] = 1.0;
    Scale(inverse_pivot, side_, pivot_row);
    for (std::size_t r = 0; r < side_; ++r) {
      if (r == p) continue;
      double* row = &matrix_[r * side_];
      const double factor = row[p];
      row[p] = 0.0;
      SubtractMultiple(factor, pivot_row, side_, row);
    }
  }
  std::transform(matrix_.begin(), matrix_.end(), inverse.data,
                 [](double value) { return static_cast<float>(value); });
}

}  // namespace lipserve::trainer
