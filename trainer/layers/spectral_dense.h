// SPDX-License-Identifier: Apache-2.0
// SpectralDense: a dense layer whose kernel is orthogonalised, W = Bjorck(K / sigma), so that all
// singular values of the effective weights are driven to 1 (bjorck_map.h).
#ifndef TRAINER_LAYERS_SPECTRAL_DENSE_H_
#define TRAINER_LAYERS_SPECTRAL_DENSE_H_

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "trainer/constraints/bjorck_map.h"
#include "trainer/layers/dense.h"

namespace lipserve::trainer {

// What a recipe decides; see SpectralDenseSpec.
struct SpectralDenseOptions {
  std::size_t units = 1;
  bool use_bias = true;
  BjorckMapOptions map;
};

// Shapes:    x: [N, inputs], y: [N, units].
// Guarantee: once Bjorck has converged, ||y(a) - y(b)||_2 <= (1 + d) ||a - b||_2, and
//            ||dx||_2 = (1 +- d) ||dy||_2 if units <= inputs, where d is float32 rounding, below
//            1e-5 for min(units, inputs) <= 256. The certificate does not rest on this: it proves
//            the norm of the frozen weights.
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
  float sigma_estimate() const { return map_.sigma_estimate(); }
  std::size_t bjorck_iterations() const { return map_.iterations(); }

 private:
  BjorckMap map_;
  std::vector<float> evaluation_u_;  // used in place of the state "u" in evaluation
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_SPECTRAL_DENSE_H_
