// SPDX-License-Identifier: Apache-2.0
// Orthogonal weights by Cayley's transform of a skew-symmetric matrix, extended to matrices with
// orthonormal columns.
//
//   K = [U; V] tall, U square:   A = U - U^T + V^T V,   R = (I + A)^-1,   W = [2 R - I; -2 V R]
//   K wide:                      the same, transposed
//
// A + A^T = 2 V^T V, so that I + A has an inverse of norm at most 1 whatever the kernel. With
// dW = [S; T]:
//   dR = 2 S - 2 V^T T,   dA = -R^T dR R^T,
//   dU = dA - dA^T,       dV = V (dA + dA^T) - 2 T R^T
//
// Source: Trockman, Kolter 2021, arXiv:2104.07167; for rectangular matrices its code.
#ifndef TRAINER_CONSTRAINTS_CAYLEY_MAP_H_
#define TRAINER_CONSTRAINTS_CAYLEY_MAP_H_

#include <cstddef>
#include <vector>

#include "model/network/matrix_view.h"
#include "trainer/constraints/orthogonal_map.h"

namespace lipserve::trainer {

// Shapes:    kernel, weights: [rows, cols].
// Guarantee: all singular values of the weights are 1, but for float32 rounding, whatever the
//            kernel. A square matrix has the determinant 1 and no eigenvalue -1.
class CayleyMap final : public OrthogonalMap {
 public:
  CayleyMap(std::size_t rows, std::size_t cols);

  void Forward(ConstMatrixView kernel, MatrixView weights) override;
  void Backward(ConstMatrixView kernel, ConstMatrixView weights_gradient,
                MatrixView kernel_gradient) override;

 private:
  MatrixView Side(std::vector<float>& values) const { return {values.data(), side_, side_}; }
  // The rows below the square of a tall matrix; there may be none.
  MatrixView Below(MatrixView tall) const {
    return {tall.data + side_ * side_, length_ - side_, side_};
  }
  ConstMatrixView Below(ConstMatrixView tall) const {
    return {tall.data + side_ * side_, length_ - side_, side_};
  }
  void ForwardTall(ConstMatrixView kernel, MatrixView weights);
  void BackwardTall(ConstMatrixView kernel, ConstMatrixView weights_gradient,
                    MatrixView kernel_gradient);

  bool wide_;
  std::size_t side_;
  std::size_t length_;
  std::vector<float> resolvent_;      // I + A, then R
  std::vector<float> square_;         // dR, then dA
  std::vector<float> product_;        // [side, side]
  std::vector<float> tall_kernel_;    // of a wide one
  std::vector<float> tall_gradient_;  // likewise, in weights
  std::vector<float> tall_result_;    // likewise, weights or gradient in the kernel
};

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_CAYLEY_MAP_H_
