// SPDX-License-Identifier: Apache-2.0
// SLL's diagonal T: for a kernel K it makes T(K) T(K)^T <= diag(t), whatever K is, by Gershgorin's
// circles of a scaled Gram matrix. For rows i, j of a matrix, or output channels of a convolution,
//
//   t_i = sum_j A_ij q_j / q_i,   A_ij = sum over displacements d of |C_ij(d)|,   q = exp(p)
//   learnt, C_ij(d) = sum over channels and pairs of taps d apart of K_i K_j   (tap_correlation.h)
//
// Zero padding keeps a part of the plane's convolution; circular padding only adds entries before
// the absolute value is taken. The bound t holds for both. It does not hold for reflection and
// replication.
//
//   backward  dC_ij(d) = dt_i sign(C_ij(d)) q_j / q_i,
//             dp_j += sum_i dt_i A_ij q_j / q_i,   dp_i -= dt_i t_i
//
// Source: Araujo, Havens, Delattre, Allauzen, Hu 2023, arXiv:2303.03169, theorem 3; convolutions as
//         in Prach, Lampert 2022, arXiv:2208.03160, theorem 2.
#ifndef TRAINER_CONSTRAINTS_SLL_SCALE_H_
#define TRAINER_CONSTRAINTS_SLL_SCALE_H_

#include <cstddef>
#include <span>
#include <vector>

#include "model/network/matrix_view.h"
#include "model/network/window.h"
#include "trainer/constraints/tap_correlation.h"

namespace lipserve::trainer {

// For a kernel [outputs, inputs * taps] with stride 1. A matrix is a kernel with windows of one
// tap.
//
// Shapes:  t, log_q (p), and their gradients: [outputs].
// Threads: not thread-safe.
class SllScale {
 public:
  SllScale(std::size_t outputs, std::size_t inputs, const WindowAxis& vertical,
           const WindowAxis& horizontal);

  void Forward(ConstMatrixView kernel, std::span<const float> log_q, std::span<float> t);

  // After Forward with the same arguments: adds to the gradient of the kernel and overwrites that
  // of log_q.
  void Backward(ConstMatrixView kernel, std::span<const float> log_q, std::span<const float> t,
                std::span<const float> t_gradient, MatrixView kernel_gradient,
                std::span<float> log_q_gradient);

  // t in float64.
  std::vector<double> Freeze(ConstMatrixView kernel, std::span<const float> log_q) const;

 private:
  // The kernel as [inputs, outputs * taps].
  void TransposeTaps(ConstMatrixView kernel, std::vector<float>& transposed) const;

  std::size_t inputs_;
  TapCorrelation correlation_;  // of the output channels
  std::vector<float> transposed_;
  std::vector<float> transposed_gradient_;
  std::vector<float> gram_;
  std::vector<float> sums_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_SLL_SCALE_H_
