// SPDX-License-Identifier: Apache-2.0
// SpectralDense: a dense layer whose kernel is orthogonalised, so that all singular values of the
// effective weights are driven to 1.
//
//   W = Bjorck(K / sigma)        sigma: power iteration, an estimate of the largest singular value
//
// The layer works on the small Gram matrix G of K (side s = min(units, inputs)): the power
// iteration runs on G, and Bjorck's iterations are a polynomial P in G / sigma^2 (bjorck.h), so
// that a step costs two products of K's size forward and three backward, however many iterations
// it takes:
//   K wide:   G = K K^T,   W = P K / sigma,
//             dP = dW K^T / sigma,   dK = P dW / sigma + 2 dG K
//   K tall:   the same, transposed.
// The gradient runs through every Bjorck iteration and stops at sigma, like deel-lip's: a converged
// W does not depend on sigma.
//
// Source: Anil, Lucas, Grosse 2019, arXiv:1811.05381 (Bjorck); Miyato et al. 2018,
//         arXiv:1802.05957 (power iteration); Serrurier et al. 2021, arXiv:2006.06520.
#ifndef TRAINER_LAYERS_SPECTRAL_DENSE_H_
#define TRAINER_LAYERS_SPECTRAL_DENSE_H_

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "trainer/layers/bjorck.h"
#include "trainer/layers/dense.h"

namespace lipserve::trainer {

// What a recipe decides; see SpectralDenseSpec.
struct SpectralDenseOptions {
  std::size_t units = 1;
  bool use_bias = true;
  std::size_t power_iterations = 3;
  BjorckOptions bjorck;
  float initial_scale = 1.0F;  // of the kernel
};

// Shapes:    x: [N, inputs], y: [N, units].
// Guarantee: once Bjorck has converged, ||y(a) - y(b)||_2 <= (1 + d) ||a - b||_2, and
//            ||dx||_2 = (1 +- d) ||dy||_2 if units <= inputs, where d is float32 rounding, below
//            1e-5 for s <= 256. The certificate does not rest on this: it proves the norm of the
//            frozen weights.
//            PrepareStep(false) uses the parameters as they are now and changes no state.
//            A kernel of zeros gives weights of zeros and a finite gradient, never NaN.
class SpectralDense final : public Dense {
 public:
  // The kernel starts as a random orthogonal matrix drawn from `random`, times the initial scale;
  // the bias as 0.
  SpectralDense(std::size_t inputs, const SpectralDenseOptions& options, std::mt19937_64& random);

  std::string type() const override { return "SpectralDense"; }
  void PrepareStep(bool training) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

  // Of the last PrepareStep.
  float sigma_estimate() const { return sigma_; }
  std::size_t bjorck_iterations() const { return bjorck_.iterations(); }

 private:
  bool wide() const { return outputs() <= inputs(); }
  std::size_t side() const { return wide() ? outputs() : inputs(); }
  MatrixView View(std::vector<float>& values) const { return {values.data(), side(), side()}; }

  // Largest singular value of the kernel, from its Gram matrix; advances `u`, a unit vector.
  float EstimateSigma(std::vector<float>& u);

  SpectralDenseOptions options_;
  BjorckPolynomial bjorck_;
  float sigma_ = 1.0F;
  ConstMatrixView polynomial_;
  std::vector<float> gram_;
  std::vector<float> polynomial_gradient_;
  std::vector<float> evaluation_u_;  // stands in for the state "u" while evaluating
  std::vector<float> gram_times_u_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_SPECTRAL_DENSE_H_
