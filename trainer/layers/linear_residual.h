// SPDX-License-Identifier: Apache-2.0
// Residual layers whose branch is linear, as in LiResNet. They are a single matrix or convolution:
// adding 1 to the kernel where it reads the position itself adds x to K x.
//
//   M = I + s K,   sigma = ||T(M)||_2 by power iteration,   y = T(M / sigma) x + b
//   dM = dW / sigma - <dW, M> / sigma^2 dsigma/dM,   dK = s dM
//
// LiResNet leaves M as it is and puts the product of all sigma into its loss. Here M is divided by
// sigma, which gives the loss margins in the same ratio to the Lipschitz constant. The frozen layer
// is divided by the proven norm of T(M), borders included.
//
// Source: Hu, Zou, Wang, Leino, Fredrikson 2023, arXiv:2301.12549; its code's LiResConv.
#ifndef TRAINER_LAYERS_LINEAR_RESIDUAL_H_
#define TRAINER_LAYERS_LINEAR_RESIDUAL_H_

#include <cstddef>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "trainer/constraints/power_iteration.h"
#include "trainer/layers/convolution.h"
#include "trainer/layers/dense.h"

namespace lipserve::trainer {

struct LinearResidualOptions {
  float scale = 1.0F;                // s
  std::size_t power_iterations = 3;  // in each step
};

// The tap through which an output reads its own position, or the number of taps if there is none.
std::size_t IdentityTap(const WindowAxis& axis);

// Whether a convolution has a weight through which every output reads its own position and channel,
// and as many outputs as inputs.
bool CanAddIdentity(const ConvolutionLayer& geometry);

// W = M / sigma of a kernel K, and the gradient back.
//
// Threads: not thread-safe.
class ResidualQuotient {
 public:
  // `map` outlives this. `identity`: the indices of the weights to which the identity adds 1.
  ResidualQuotient(LinearMap& map, std::vector<std::size_t> identity,
                   const LinearResidualOptions& options);

  std::vector<float> InitialVector(std::mt19937_64& random) { return power_.InitialVector(random); }
  // M.
  std::vector<float> Sum(std::span<const float> kernel) const;

  // W of a kernel. The power iteration starts from `v`, which is set to its last vector.
  void Forward(std::span<const float> kernel, std::vector<float>& v, std::span<float> weights);
  // After Forward, with the W it gave.
  void Backward(std::span<const float> weights, std::span<const float> weights_gradient,
                std::span<float> kernel_gradient);

  float sigma() const { return sigma_; }

 private:
  std::vector<std::size_t> identity_;
  LinearResidualOptions options_;
  PowerIteration power_;
  float sigma_ = 1.0F;        // of the last Forward, at least kSmallestNorm
  bool is_constant_ = false;  // sigma is kSmallestNorm
};

// Shapes:    x, y: [N, inputs]; K: [inputs, inputs].
// Guarantee: once power iteration has converged, ||y(a) - y(b)||_2 <= (1 + d) ||a - b||_2, d
//            float32 rounding; frozen, proven. K = -I / s gives zeros and no NaN.
class LinearResidualDense final : public Dense {
 public:
  // K starts as normal numbers over `inputs`, drawn from `random`; the bias as 0.
  LinearResidualDense(std::size_t inputs, bool use_bias, const LinearResidualOptions& options,
                      std::mt19937_64& random);

  std::string type() const override { return "LiResDense"; }
  void PrepareStep(bool training) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  ResidualQuotient quotient_;
};

// The same with images.
//
// Requires: CanAddIdentity(geometry).
class LinearResidualConvolution final : public Convolution {
 public:
  // K starts as normal numbers over the fan-in, drawn from `random`; the bias as 0.
  LinearResidualConvolution(const ConvolutionLayer& geometry, bool use_bias,
                            const LinearResidualOptions& options, std::mt19937_64& random);

  std::string type() const override { return "LiResConv2D"; }
  void PrepareStep(bool training) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  ResidualQuotient quotient_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_LINEAR_RESIDUAL_H_
