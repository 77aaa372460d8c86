// SPDX-License-Identifier: Apache-2.0
// The largest singular value in quadruple precision, by cyclic Jacobi rotations: the oracle for
// proven operator norms.
#ifndef TESTS_MODEL_QUAD_EIGENVALUE_H_
#define TESTS_MODEL_QUAD_EIGENVALUE_H_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "model/network/matrix_view.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/quad.h"

namespace lipserve {

// One Jacobi rotation that zeroes a[i][j] of the symmetric matrix a.
inline void JacobiRotate(std::vector<std::vector<Quad>>& a, std::size_t i, std::size_t j) {
  if (a[i][j] == 0) return;
  const Quad theta = (a[j][j] - a[i][i]) / (2 * a[i][j]);
  const Quad t = (theta < 0 ? -1 : 1) / (QuadAbs(theta) + QuadSqrt(theta * theta + 1));
  const Quad c = 1 / QuadSqrt(t * t + 1);
  const Quad s = t * c;
  for (auto& row : a) {
    const Quad p = row[i];
    const Quad q = row[j];
    row[i] = c * p - s * q;
    row[j] = s * p + c * q;
  }
  for (std::size_t k = 0; k < a.size(); ++k) {
    const Quad p = a[i][k];
    const Quad q = a[j][k];
    a[i][k] = c * p - s * q;
    a[j][k] = s * p + c * q;
  }
}

// Requires: weights whose squares neither overflow nor underflow a float64.
inline Quad QuadOperatorNorm(ConstMatrixView w) {
  const bool wide = w.rows <= w.cols;
  const std::size_t p = wide ? w.rows : w.cols;
  const std::size_t q = wide ? w.cols : w.rows;
  const auto at = [&](std::size_t i, std::size_t k) -> Quad {
    return wide ? w.data[i * w.cols + k] : w.data[k * w.cols + i];
  };
  std::vector<std::vector<Quad>> gram(p, std::vector<Quad>(p, 0));
  for (std::size_t i = 0; i < p; ++i) {
    for (std::size_t j = 0; j < p; ++j) {
      for (std::size_t k = 0; k < q; ++k) gram[i][j] += at(i, k) * at(j, k);
    }
  }
  for (int sweep = 0; sweep < 30; ++sweep) {
    for (std::size_t i = 0; i < p; ++i) {
      for (std::size_t j = i + 1; j < p; ++j) JacobiRotate(gram, i, j);
    }
  }
  Quad largest = 0;
  for (std::size_t i = 0; i < p; ++i) largest = std::max(largest, gram[i][i]);
  return QuadSqrt(largest);
}

}  // namespace lipserve

#endif  // TESTS_MODEL_QUAD_EIGENVALUE_H_
