// SPDX-License-Identifier: Apache-2.0
// Maps a free kernel K to weights W whose singular values converge to 1, and gradients back.
//
//   W = Bjorck(K / sigma)        sigma: power iteration, an estimate of the largest singular value
//
// All work is on the small Gram matrix G of K (side s = min(rows, cols)). The power iteration runs
// on G, and Bjorck's iterations are a polynomial P in G / sigma^2 (bjorck.h). So a step costs two
// products of K's size forward and three backward, whatever the number of iterations:
//   K wide:   G = K K^T,   W = P K / sigma,
//             dP = dW K^T / sigma,   dK = P dW / sigma + 2 dG K
//   K tall:   the same, transposed.
// The gradient runs through every Bjorck iteration and stops at sigma, like deel-lip's: a converged
// W does not depend on sigma.
//
// Source: Anil, Lucas, Grosse 2019, arXiv:1811.05381 (Bjorck); Miyato et al. 2018,
//         arXiv:1802.05957 (power iteration); Serrurier et al. 2021, arXiv:2006.06520.
#ifndef TRAINER_CONSTRAINTS_BJORCK_MAP_H_
#define TRAINER_CONSTRAINTS_BJORCK_MAP_H_

#include <cstddef>
#include <random>
#include <span>
#include <vector>

#include "model/network/matrix_view.h"
#include "trainer/constraints/bjorck.h"

namespace lipserve::trainer {

// What a recipe decides; see the fields of the same names.
struct BjorckMapOptions {
  std::size_t power_iterations = 3;
  BjorckOptions bjorck;
  float initial_scale = 1.0F;  // of the kernel
};

// The map for kernels of one shape. Owns all its memory: calls allocate nothing.
//
// Guarantee: a kernel of zeros gives weights of zeros and a finite gradient, never NaN.
// Threads:   not thread-safe.
class BjorckMap {
 public:
  BjorckMap(std::size_t rows, std::size_t cols, const BjorckMapOptions& options);

  // Length of the vector of the power iteration.
  std::size_t side() const { return wide() ? rows_ : cols_; }
  // A random direction for the power iteration to start from.
  std::vector<float> InitialVector(std::mt19937_64& random) const;

  // Advances `u`, a unit vector, and computes the weights.
  //
  // Shapes: kernel, weights: [rows, cols], u: [side()].
  void Forward(ConstMatrixView kernel, std::span<float> u, MatrixView weights);

  // The gradient in the kernel of the last Forward, given that in its weights.
  void Backward(ConstMatrixView kernel, ConstMatrixView weights_gradient,
                MatrixView kernel_gradient);

  // Of the last Forward.
  float sigma_estimate() const { return sigma_; }
  std::size_t iterations() const { return bjorck_.iterations(); }

 private:
  bool wide() const { return rows_ <= cols_; }
  MatrixView View(std::vector<float>& values) const { return {values.data(), side(), side()}; }

  // Largest singular value of the kernel, from its Gram matrix.
  float EstimateSigma(std::span<float> u);

  std::size_t rows_;
  std::size_t cols_;
  std::size_t power_iterations_;
  BjorckPolynomial bjorck_;
  float sigma_ = 1.0F;
  ConstMatrixView polynomial_;
  std::vector<float> gram_;
  std::vector<float> polynomial_gradient_;
  std::vector<float> gram_times_u_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_BJORCK_MAP_H_
