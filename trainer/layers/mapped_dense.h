// SPDX-License-Identifier: Apache-2.0
// MappedDense: a dense layer whose weights are a closed formula of a free kernel: Cholesky's
// (cholesky_map.h), Cayley's (cayley_map.h) or a block reflector (block_reflector_map.h).
#ifndef TRAINER_LAYERS_MAPPED_DENSE_H_
#define TRAINER_LAYERS_MAPPED_DENSE_H_

#include <cstddef>
#include <memory>
#include <random>
#include <string>

#include "trainer/constraints/orthogonal_map.h"
#include "trainer/layers/dense.h"

namespace lipserve::trainer {

// The formula.
enum class OrthogonalFormula { kCholesky, kCayley, kBlockReflector };

// What a recipe decides; see SpectralDenseSpec.
struct MappedDenseOptions {
  std::size_t units = 1;
  bool use_bias = true;
  OrthogonalFormula formula = OrthogonalFormula::kCholesky;
  std::size_t reflector_rank = 0;  // columns of a block reflector's kernel, at least 1
  float initial_scale = 1.0F;
};

// Shapes:    x: [N, inputs], y: [N, units].
// Guarantee: ||y(a) - y(b)||_2 <= (1 + d) ||a - b||_2, and ||dx||_2 = (1 +- d) ||dy||_2 if
//            units <= inputs, where d is float32 rounding times the square of the kernel's
//            condition number (Cayley: rounding alone). The certificate does not rest on this: it
//            proves the norm of the frozen weights.
class MappedDense final : public Dense {
 public:
  // The kernel starts as a random orthogonal matrix drawn from `random`, times the initial scale;
  // the bias as 0.
  MappedDense(std::size_t inputs, const MappedDenseOptions& options, std::mt19937_64& random);

  std::string type() const override;
  void PrepareStep(bool training) override;
  void FinishStep() override;
  // The formula's weights, made orthogonal in float64: their polar factor.
  FrozenLayer Freeze() const override;

 private:
  ConstMatrixView map_kernel() const;

  MappedDenseOptions options_;
  std::unique_ptr<OrthogonalMap> map_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_MAPPED_DENSE_H_
