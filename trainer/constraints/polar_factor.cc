// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/polar_factor.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace lipserve::trainer {
namespace {

using Matrix = std::vector<double>;  // row-major

// In the Gram matrix, singular values below 1e-8 of the norm are only noise, and each iteration
// amplifies it by 1.5. So a round has few iterations, and the next round starts from a new Gram
// matrix. The last round is one step: it removes rounding errors that a large polynomial (a nearly
// singular matrix) has left.
constexpr int kRounds = 4;
constexpr int MaxIterations(int round) { return round + 1 < kRounds ? 30 : 1; }
// A step after which quadratic convergence leaves nothing but rounding, squared, per singular
// value.
constexpr double kSmallStepSquared = 1e-14;

// C = A B. Shapes: a: [m, k], b: [k, n].
Matrix Multiply(const Matrix& a, const Matrix& b, std::size_t m, std::size_t k, std::size_t n) {
  Matrix c(m * n, 0.0);
  for (std::size_t i = 0; i < m; ++i) {
    double* c_row = &c[i * n];
    for (std::size_t l = 0; l < k; ++l) {
      const double factor = a[i * k + l];
      const double* b_row = &b[l * n];
      for (std::size_t j = 0; j < n; ++j) c_row[j] += factor * b_row[j];
    }
  }
  return c;
}

Matrix Transpose(const Matrix& a, std::size_t rows, std::size_t cols) {
  Matrix transposed(a.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < cols; ++j) transposed[j * rows + i] = a[i * cols + j];
  }
  return transposed;
}

double InnerProduct(const Matrix& a, const Matrix& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Multiplies `polynomial` by the P for which P A is the iteration of A, given `defect`
// E = I - A A^T:
//   P <- (I + E/2) P,   E <- E^2 (3 I + E) / 4.
// Returns whether the first step was already small.
bool Iterate(Matrix defect, std::size_t side, int max_iterations, Matrix& polynomial) {
  for (int iteration = 0; iteration < max_iterations; ++iteration) {
    const Matrix square = Multiply(defect, defect, side, side, side);
    const Matrix step = Multiply(defect, polynomial, side, side, side);
    for (std::size_t i = 0; i < step.size(); ++i) polynomial[i] += 0.5 * step[i];
    // ||A_next - A||_F^2 = <E^2, A A^T> / 4. Written so that NaN stops, too.
    const double step_squared =
        0.25 * (InnerProduct(defect, defect) - InnerProduct(square, defect));
    if (!(step_squared > kSmallStepSquared * static_cast<double>(side))) return iteration == 0;
    const Matrix cube = Multiply(square, defect, side, side, side);
    for (std::size_t i = 0; i < cube.size(); ++i) defect[i] = 0.75 * square[i] + 0.25 * cube[i];
  }
  return false;
}

}  // namespace

std::vector<double> PolarFactor(ConstMatrixView matrix) {
  const bool tall = matrix.rows > matrix.cols;
  const std::size_t side = std::min(matrix.rows, matrix.cols);
  const std::size_t length = std::max(matrix.rows, matrix.cols);
  Matrix wide(matrix.data, matrix.data + matrix.size());
  if (tall) wide = Transpose(wide, length, side);
  for (int round = 0; round < kRounds; ++round) {
    Matrix gram = Multiply(wide, Transpose(wide, side, length), side, length, side);
    // sigma_max^2 <= ||gram||_F, so that dividing by it puts every singular value in [0, 1].
    const double scale_squared = round == 0 ? std::sqrt(InnerProduct(gram, gram)) : 1.0;
    if (scale_squared == 0.0) break;
    for (double& value : gram) value /= -scale_squared;
    Matrix polynomial(gram.size(), 0.0);
    for (std::size_t i = 0; i < side; ++i) {
      gram[i * side + i] += 1.0;
      polynomial[i * side + i] = 1.0 / std::sqrt(scale_squared);
    }
    const bool done = Iterate(std::move(gram), side, MaxIterations(round), polynomial);
    wide = Multiply(polynomial, wide, side, side, length);
    if (done) break;
  }
  return tall ? Transpose(wide, side, length) : wide;
}

}  // namespace lipserve::trainer
