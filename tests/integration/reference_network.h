// SPDX-License-Identifier: Apache-2.0
// What a model file means, computed a second time by other code: the plainest float64 loops, and
// singular values by Jacobi rotations. Shares nothing with model/ but the file format.
#ifndef TESTS_INTEGRATION_REFERENCE_NETWORK_H_
#define TESTS_INTEGRATION_REFERENCE_NETWORK_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/model_file.pb.h"

namespace lipserve {

// Largest singular value of the row-major [rows, cols] matrix `w`, to about 1e-13 relative.
//
// Source: Jacobi's eigenvalue algorithm on the smaller of W W^T and W^T W (Golub and Van Loan,
//         Matrix Computations, 4th ed., 8.5).
double LargestSingularValue(const std::vector<double>& w, std::size_t rows, std::size_t cols);

// A frozen dense network in float64.
class ReferenceNetwork {
 public:
  // Reads model.lip without checking more than that it can be read.
  static absl::StatusOr<ReferenceNetwork> Read(const std::string& path);

  // The scores of one input.
  std::vector<double> Scores(std::span<const float> input) const;

  // Product of the dense layers' largest singular values.
  double LipschitzConstant() const;

  // The SHA-256 that the file states.
  const std::string& digest() const { return digest_; }

 private:
  struct Dense {
    std::size_t inputs = 0;
    std::size_t outputs = 0;
    std::vector<double> weights;  // [outputs, inputs]
    std::vector<double> bias;     // [outputs] or empty
  };
  struct Layer {
    Dense dense;                 // outputs 0: not dense
    std::size_t group_size = 0;  // 0: no sorting
  };

  static Dense ParseDense(const v1::FrozenDense& proto);

  std::vector<Layer> layers_;
  std::string digest_;
};

}  // namespace lipserve

#endif  // TESTS_INTEGRATION_REFERENCE_NETWORK_H_
