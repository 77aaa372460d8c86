// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/mapped_dense.h"

#include <algorithm>
#include <vector>

#include "trainer/constraints/block_reflector_map.h"
#include "trainer/constraints/cayley_map.h"
#include "trainer/constraints/cholesky_map.h"
#include "trainer/constraints/polar_factor.h"
#include "trainer/constraints/random_orthogonal.h"

namespace lipserve::trainer {
namespace {

std::unique_ptr<OrthogonalMap> MakeMap(std::size_t inputs, const MappedDenseOptions& options) {
  switch (options.formula) {
    case OrthogonalFormula::kCayley:
      return std::make_unique<CayleyMap>(options.units, inputs);
    case OrthogonalFormula::kBlockReflector:
      return std::make_unique<BlockReflectorMap>(options.units, inputs, options.reflector_rank);
    case OrthogonalFormula::kCholesky:
      break;
  }
  return std::make_unique<CholeskyMap>(options.units, inputs);
}

std::vector<float> InitialKernel(std::size_t inputs, const MappedDenseOptions& options,
                                 std::mt19937_64& random) {
  std::vector<float> kernel =
      options.formula == OrthogonalFormula::kBlockReflector
          ? RandomOrthogonal(std::max(options.units, inputs), options.reflector_rank, random)
          : RandomOrthogonal(options.units, inputs, random);
  for (float& value : kernel) value *= options.initial_scale;
  return kernel;
}

}  // namespace

MappedDense::MappedDense(std::size_t inputs, const MappedDenseOptions& options,
                         std::mt19937_64& random)
    : Dense(inputs, options.units, options.use_bias, InitialKernel(inputs, options, random)),
      options_(options),
      map_(MakeMap(inputs, options)) {}

std::string MappedDense::type() const {
  switch (options_.formula) {
    case OrthogonalFormula::kCayley:
      return "CayleyDense";
    case OrthogonalFormula::kBlockReflector:
      return "BlockReflectorDense";
    case OrthogonalFormula::kCholesky:
      break;
  }
  return "CholeskyDense";
}

ConstMatrixView MappedDense::map_kernel() const {
  if (options_.formula != OrthogonalFormula::kBlockReflector) return kernel();
  return {parameters_[0].values.data(), std::max(inputs(), outputs()), options_.reflector_rank};
}

void MappedDense::PrepareStep(bool /*training*/) { map_->Forward(map_kernel(), weights()); }

void MappedDense::FinishStep() {
  const ConstMatrixView kernel = map_kernel();
  map_->Backward(kernel, weights_gradient(),
                 {parameters_[0].gradient.data(), kernel.rows, kernel.cols});
}

FrozenLayer MappedDense::Freeze() const {
  // Uses a map of its own, because a step in progress still needs the state of map_.
  std::vector<float> weights(outputs() * inputs());
  const MatrixView view{weights.data(), outputs(), inputs()};
  MakeMap(inputs(), options_)->Forward(map_kernel(), view);
  return FreezeWith(PolarFactor(view));
}

}  // namespace lipserve::trainer
