// SPDX-License-Identifier: Apache-2.0
// SpectralConv2D: a convolution whose kernel, as a matrix [outputs, fan-in] for each group, is
// orthogonal, times the safe norm of its windows (convolution.h):
//
//   W = Bjorck(K / sigma) / sqrt(most reads of a position)
//
// Where windows do not overlap (stride = size) and the outputs are as many as the fan-in, the layer
// is orthogonal; elsewhere 1 is an upper bound of its singular values.
//
// Source: Serrurier et al. 2021, arXiv:2006.06520; deel-lip, SpectralConv2D (which divides by
//         less and exceeds 1).
#ifndef TRAINER_LAYERS_SPECTRAL_CONVOLUTION_H_
#define TRAINER_LAYERS_SPECTRAL_CONVOLUTION_H_

#include <random>
#include <string>
#include <vector>

#include "trainer/constraints/bjorck_map.h"
#include "trainer/layers/convolution.h"

namespace lipserve::trainer {

// Guarantee: once Bjorck has converged, ||y(a) - y(b)||_2 <= (1 + d) ||a - b||_2, where d is
//            float32 rounding, below 1e-5 for matrices with a side of at most 256. The certificate
//            does not rest on this: it proves the norm of the frozen weights. PrepareStep(false)
//            uses the parameters as they are now and changes no state. A kernel of zeros gives
//            weights of zeros and a finite gradient, never NaN.
class SpectralConvolution final : public Convolution {
 public:
  // The kernels start as random orthogonal matrices drawn from `random`, times the initial scale;
  // the bias as 0.
  SpectralConvolution(const ConvolutionLayer& geometry, bool use_bias,
                      const BjorckMapOptions& options, std::mt19937_64& random);

  std::string type() const override { return "SpectralConv2D"; }
  void PrepareStep(bool training) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  std::vector<BjorckMap> maps_;      // one for each group
  std::vector<float> evaluation_u_;  // used in place of the state "u" in evaluation
};

// The same with kernels that are orthogonal themselves, kept so by the optimiser
// (orthogonal_dense.h): W = K / sqrt(most reads of a position).
//
// Requires: geometry.groups == 1.
class OrthogonalConvolution final : public Convolution {
 public:
  OrthogonalConvolution(const ConvolutionLayer& geometry, bool use_bias, std::mt19937_64& random);

  std::string type() const override { return "OrthogonalConv2D"; }
  void PrepareStep(bool training) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  std::vector<float> gram_;  // of Newton's iterations
  std::vector<float> product_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_SPECTRAL_CONVOLUTION_H_
