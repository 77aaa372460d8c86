// SPDX-License-Identifier: Apache-2.0
// Orthogonal weights by Cholesky's factorisation of the small Gram matrix. It is Gram-Schmidt in
// two products.
//
//   K wide:   K K^T + ridge I = L L^T,   W = L^-1 K
//   K tall:   K^T K + ridge I = L L^T,   W = K L^-T
//
// W is the orthogonal factor of a QR decomposition whose triangular factor has a positive diagonal.
// Its gradient, with P the lower triangle of dW W^T (of dW^T W if K is tall), diagonal halved, and
// the ridge constant:
//   K wide:   dK = L^-T (dW - (P + P^T) W)
//   K tall:   dK = (dW - W (P + P^T)) L^-1
//
// Source: Hu, Leino, Wang, Fredrikson 2024, arXiv:2310.02513 (layers by Cholesky's factorisation);
//         the gradient in closed form is ours, from Murray 2016, arXiv:1602.07527.
#ifndef TRAINER_CONSTRAINTS_CHOLESKY_MAP_H_
#define TRAINER_CONSTRAINTS_CHOLESKY_MAP_H_

#include <cstddef>
#include <vector>

#include "model/network/matrix_view.h"
#include "trainer/constraints/orthogonal_map.h"

namespace lipserve::trainer {

// Shapes:    kernel, weights: [rows, cols].
// Guarantee: singular values s of the kernel become s / sqrt(s^2 + ridge), at most 1 but for
//            float32 rounding of the Gram matrix; the ridge is 1e-6 of their mean square. A kernel
//            of zeros gives weights of zeros and a finite gradient.
class CholeskyMap final : public OrthogonalMap {
 public:
  CholeskyMap(std::size_t rows, std::size_t cols);

  void Forward(ConstMatrixView kernel, MatrixView weights) override;
  void Backward(ConstMatrixView kernel, ConstMatrixView weights_gradient,
                MatrixView kernel_gradient) override;

 private:
  MatrixView Side(std::vector<float>& values) const { return {values.data(), side_, side_}; }

  bool wide_;
  std::size_t side_;
  std::vector<float> inverse_factor_;  // L^-1
  std::vector<float> weights_;         // of the last Forward
  std::vector<float> product_;         // [side, side]
  std::vector<float> tangent_;         // like the weights
};

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_CHOLESKY_MAP_H_
