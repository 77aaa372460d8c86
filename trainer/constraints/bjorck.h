// SPDX-License-Identifier: Apache-2.0
// Bjorck's orthogonalisation W <- (1 + beta) W - beta W W^T W, computed as a polynomial in the
// small Gram matrix of W instead of on W itself, and its exact gradient.
//
// With the defect E_k = I - G_k of the Gram matrix G_k = W_k W_k^T (or W_k^T W_k if W is tall):
//   W_k     = P_k W_0   (or W_0 P_k),   P_0 = I
//   P_{k+1} = P_k + beta E_k P_k
//   E_{k+1} = (1 - 2 beta) E_k + (2 beta - beta^2) E_k^2 + beta^2 E_k^3
//   ||W_{k+1} - W_k||_F^2 = beta^2 <E_k^2, I - E_k>
// All are symmetric and commute. The recursion is on E, not on G, because that keeps a small defect
// accurate.
//
// The gradient runs the recursion backwards, F_k = dL/dE_k and Q_k = dL/dP_k:
//   Q_k = Q_{k+1} + beta E_k Q_{k+1}
//   F_k = (1 - 2 beta) F_{k+1} + sym(2 E_k M + beta Q_{k+1} P_k)
//   M   = (2 beta - beta^2) F_{k+1} + beta^2 (A + A^T / 2),   A = E_k F_{k+1}
//
// Source: Bjorck, Bowie 1971; Anil, Lucas, Grosse 2019, arXiv:1811.05381. The recursion in E is
//         ours.
#ifndef TRAINER_CONSTRAINTS_BJORCK_H_
#define TRAINER_CONSTRAINTS_BJORCK_H_

#include <cstddef>
#include <vector>

#include "model/network/matrix_view.h"

namespace lipserve::trainer {

struct BjorckOptions {
  std::size_t max_iterations = 15;  // at least 1
  float beta = 0.5F;                // in (0, 0.5]
  float tolerance = 1e-3F;          // stops when a change of W has a smaller Frobenius norm
};

// The polynomial for matrices with one side of Gram matrix. Owns all its memory: calls allocate
// nothing.
//
// Guarantee: singular values s in (0, sqrt(3)) of W converge to 1 (beta = 1/2).
// Threads:   not thread-safe.
class BjorckPolynomial {
 public:
  BjorckPolynomial(std::size_t side, const BjorckOptions& options);

  // P of the last iteration for W with Gram matrix `scale` * gram. Valid until the next Forward.
  //
  // Shapes: gram, P: [side, side], symmetric.
  ConstMatrixView Forward(ConstMatrixView gram, float scale);

  // dL/dE_0, symmetric, from dL/dP of the last Forward, which is used as scratch memory. The
  // gradient with respect to `gram` is -scale times it. Valid until the next call.
  ConstMatrixView Backward(MatrixView polynomial_gradient);

  // Iterations of the last Forward.
  std::size_t iterations() const { return iterations_; }

 private:
  MatrixView Defect(std::size_t k) { return {&defects_[k * side_ * side_], side_, side_}; }
  // P_k for k >= 1; P_0 = I is not stored.
  MatrixView Polynomial(std::size_t k) {
    return {&polynomials_[(k - 1) * side_ * side_], side_, side_};
  }
  MatrixView View(std::vector<float>& values) const { return {values.data(), side_, side_}; }

  // E_{k+1} from E_k and its square; P_{k+1} from E_k and P_k.
  void AdvanceDefect(std::size_t k);
  void AdvancePolynomial(std::size_t k);
  // Writes the terms of F_k that come through E_{k+1} to unsymmetric_, given F_{k+1}.
  void DefectGradient(std::size_t k);
  // Adds those that come through P_{k+1}, given Q_{k+1}.
  void AddPolynomialGradient(std::size_t k, ConstMatrixView polynomial_gradient);

  std::size_t side_;
  BjorckOptions options_;
  float linear_;  // coefficients of E, E^2 and E^3 in E_{k+1}
  float quadratic_;
  float cubic_;
  std::size_t iterations_ = 0;
  std::vector<float> defects_;
  std::vector<float> polynomials_;
  std::vector<float> square_;
  std::vector<float> defect_gradient_;
  std::vector<float> product_;
  std::vector<float> unsymmetric_;
  std::vector<float> next_polynomial_gradient_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_BJORCK_H_
