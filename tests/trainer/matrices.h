// SPDX-License-Identifier: Apache-2.0
// Matrices for tests: random ones, and slow float64 algebra to compare with.
#ifndef TESTS_TRAINER_MATRICES_H_
#define TESTS_TRAINER_MATRICES_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <random>
#include <span>
#include <vector>

#include "model/network/matrix_view.h"
#include "trainer/constraints/random_orthogonal.h"

namespace lipserve::trainer {

// A float64 matrix, row-major.
struct Matrix64 {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<double> values;

  double& at(std::size_t r, std::size_t c) { return values[r * cols + c]; }
  double at(std::size_t r, std::size_t c) const { return values[r * cols + c]; }
};

inline std::vector<float> RandomNumbers(std::size_t count, std::mt19937_64& random,
                                        double scale = 1.0) {
  std::vector<float> numbers(count);
  for (float& number : numbers) number = static_cast<float>(scale * StandardNormal(random));
  return numbers;
}

inline Matrix64 ToFloat64(std::span<const float> values, std::size_t rows, std::size_t cols) {
  return {rows, cols, std::vector<double>(values.begin(), values.end())};
}

inline Matrix64 Identity(std::size_t side) {
  Matrix64 identity{side, side, std::vector<double>(side * side, 0.0)};
  for (std::size_t i = 0; i < side; ++i) identity.at(i, i) = 1.0;
  return identity;
}

inline Matrix64 Transposed(const Matrix64& a) {
  Matrix64 t{a.cols, a.rows, std::vector<double>(a.values.size())};
  for (std::size_t r = 0; r < a.rows; ++r) {
    for (std::size_t c = 0; c < a.cols; ++c) t.at(c, r) = a.at(r, c);
  }
  return t;
}

inline Matrix64 Product(const Matrix64& a, const Matrix64& b) {
  Matrix64 c{a.rows, b.cols, std::vector<double>(a.rows * b.cols, 0.0)};
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t k = 0; k < a.cols; ++k) {
      for (std::size_t j = 0; j < b.cols; ++j) c.at(i, j) += a.at(i, k) * b.at(k, j);
    }
  }
  return c;
}

// weight_a * a + weight_b * b.
inline Matrix64 Sum(double weight_a, const Matrix64& a, double weight_b, const Matrix64& b) {
  Matrix64 sum = a;
  for (std::size_t i = 0; i < sum.values.size(); ++i) {
    sum.values[i] = weight_a * a.values[i] + weight_b * b.values[i];
  }
  return sum;
}

inline double Inner(const Matrix64& a, const Matrix64& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.values.size(); ++i) sum += a.values[i] * b.values[i];
  return sum;
}

inline double FrobeniusNorm(const Matrix64& a) { return std::sqrt(Inner(a, a)); }

// Singular values in descending order, by one-sided Jacobi rotations of the rows (Hestenes 1958).
inline std::vector<double> SingularValues(Matrix64 a) {
  if (a.rows > a.cols) a = Transposed(a);
  for (int sweep = 0; sweep < 60; ++sweep) {
    bool rotated = false;
    for (std::size_t p = 0; p < a.rows; ++p) {
      for (std::size_t q = p + 1; q < a.rows; ++q) {
        double pp = 0.0, qq = 0.0, pq = 0.0;
        for (std::size_t i = 0; i < a.cols; ++i) {
          pp += a.at(p, i) * a.at(p, i);
          qq += a.at(q, i) * a.at(q, i);
          pq += a.at(p, i) * a.at(q, i);
        }
        if (std::abs(pq) <= 1e-15 * std::sqrt(pp * qq) || pq == 0.0) continue;
        rotated = true;
        const double zeta = (qq - pp) / (2.0 * pq);
        const double t = (zeta >= 0.0 ? 1.0 : -1.0) / (std::abs(zeta) + std::hypot(1.0, zeta));
        const double c = 1.0 / std::hypot(1.0, t);
        for (std::size_t i = 0; i < a.cols; ++i) {
          const double x = a.at(p, i);
          const double y = a.at(q, i);
          a.at(p, i) = c * (x - t * y);
          a.at(q, i) = c * (t * x + y);
        }
      }
    }
    if (!rotated) break;
  }
  std::vector<double> values(a.rows);
  for (std::size_t r = 0; r < a.rows; ++r) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.cols; ++i) sum += a.at(r, i) * a.at(r, i);
    values[r] = std::sqrt(sum);
  }
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

inline std::vector<double> SingularValues(ConstMatrixView a) {
  return SingularValues(ToFloat64({a.data, a.size()}, a.rows, a.cols));
}

}  // namespace lipserve::trainer

#endif  // TESTS_TRAINER_MATRICES_H_
