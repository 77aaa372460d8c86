// SPDX-License-Identifier: Apache-2.0
// AOL: weights W = K diag(t) with a scale t_i for each input channel i that makes the operator norm
// at most 1, whatever the kernel, with no iteration.
//
// For a matrix K, Gershgorin's circles bound K^T K by the diagonal matrix of its absolute row sums,
//
//   S_i = sum_j |K^T K|_ij,   t_i = 1 / sqrt(S_i)   =>   diag(t) K^T K diag(t) <= I.
//
// A convolution is the matrix T whose T^T T has, between channel i of a position and channel j of
// the position d further on, the sum over pairs of taps u, u + d of <K_iu, K_j(u+d)>, where u runs
// over the taps that read that position: those of its phase, with a stride. S_i is the largest
// absolute row sum over the phases. Zero padding removes rows and columns of T; circular padding
// only adds entries before the absolute value is taken. The bound holds for both. It does not hold
// for reflection and replication.
//
// Backward, with s = sign(sum) and a the phase that is largest for i:
//   dt_i = <dW_i, K_i>,   dS_i = -1/2 t_i^3 dt_i,   dK = dW diag(t) + K (M + M^T),
//   M_(iu)(jw) = dS_i s_a(i, j, w - u) where tap u has phase a, else 0
//
// Source: Prach, Lampert 2022, arXiv:2208.03160, theorems 1 and 2; the phases are ours.
#ifndef TRAINER_CONSTRAINTS_AOL_MAP_H_
#define TRAINER_CONSTRAINTS_AOL_MAP_H_

#include <cstddef>
#include <span>
#include <vector>

#include "model/network/matrix_view.h"
#include "model/network/window.h"
#include "trainer/constraints/tap_correlation.h"

namespace lipserve::trainer {

// The map for kernels [rows, channels * taps] of one window. Owns all its memory.
//
// Guarantee: ||T(W)||_2 <= 1 + d for a window that reads zeros, or the image's other end, outside
//            the image, where d is float32 rounding of some sums of rows and of channels * taps
//            numbers; in Freeze, below 1e-12. A channel of zeros gives zeros and no NaN.
// Threads:   not thread-safe.
class AolMap {
 public:
  AolMap(std::size_t rows, std::size_t channels, const WindowAxis& vertical,
         const WindowAxis& horizontal);

  // Shapes: kernel, weights, and their gradients: [rows, channels * taps].
  void Forward(ConstMatrixView kernel, MatrixView weights);
  void Backward(ConstMatrixView kernel, ConstMatrixView weights_gradient,
                MatrixView kernel_gradient);
  std::vector<double> Freeze(ConstMatrixView kernel) const;

 private:
  // For each channel: its scale, and the phase that has the largest row sum.
  template <typename Number>
  struct Scales {
    std::vector<Number> scale;
    std::vector<std::size_t> phase;
  };

  template <typename Number>
  Scales<Number> ScalesOf(std::span<const Number> sums) const;
  // Replaces sums_ by their gradients, given those of the scales.
  void SumsToGradients(std::span<const float> scale_gradient);

  std::size_t rows_;
  TapCorrelation correlation_;
  std::vector<float> gram_;  // and, in Backward, M
  std::vector<float> sums_;
  Scales<float> scales_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_AOL_MAP_H_
