// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_MODEL_ORTHONORMAL_ROWS_H_
#define TESTS_MODEL_ORTHONORMAL_ROWS_H_

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

namespace lipserve {

// Rows that are orthonormal up to float32 rounding, as trained layers are: all singular values
// equal, the hardest case for a tight proof. Gram-Schmidt, twice. Requires: rows <= cols.
inline std::vector<float> OrthonormalRows(std::mt19937_64& random, std::size_t rows,
                                          std::size_t cols) {
  std::normal_distribution<double> normal;
  std::vector<std::vector<double>> w(rows, std::vector<double>(cols));
  for (auto& row : w) {
    for (double& value : row) value = normal(random);
  }
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        double dot = 0.0;
        for (std::size_t k = 0; k < cols; ++k) dot += w[i][k] * w[j][k];
        for (std::size_t k = 0; k < cols; ++k) w[i][k] -= dot * w[j][k];
      }
      double squares = 0.0;
      for (const double value : w[i]) squares += value * value;
      for (double& value : w[i]) value /= std::sqrt(squares);
    }
  }
  std::vector<float> flat;
  for (const auto& row : w) flat.insert(flat.end(), row.begin(), row.end());
  return flat;
}

}  // namespace lipserve

#endif  // TESTS_MODEL_ORTHONORMAL_ROWS_H_
