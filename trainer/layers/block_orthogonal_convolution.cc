// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/block_orthogonal_convolution.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"
#include "model/execution/onednn.h"
#include "trainer/constraints/newton_retraction.h"
#include "trainer/constraints/polar_factor.h"
#include "trainer/constraints/random_orthogonal.h"

namespace lipserve::trainer {
namespace {

using onednn::Gemm;
using onednn::Op;

// c += a b for a: [rows, n], b: [n, n].
void AddProduct(const std::vector<float>& a, const std::vector<float>& b, std::size_t n,
                std::vector<float>& c) {
  const std::size_t rows = a.size() / n;
  Gemm(Op::kNone, Op::kNone, 1.0F, {a.data(), rows, n}, {b.data(), n, n}, 1.0F,
       {c.data(), rows, n});
}

void AddProduct(const std::vector<double>& a, const std::vector<double>& b, std::size_t n,
                std::vector<double>& c) {
  for (std::size_t r = 0; r < a.size() / n; ++r) {
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t j = 0; j < n; ++j) c[r * n + j] += a[r * n + k] * b[k * n + j];
    }
  }
}

// The stages of a kernel of height x width taps, without numbers: they grow by a row and a column
// in turns.
template <typename Number>
std::vector<KernelStage<Number>> Stages(std::size_t height, std::size_t width,
                                        std::size_t tap_size) {
  std::vector<KernelStage<Number>> stages(1);
  stages[0].kernel.resize(tap_size);
  while (stages.back().height < height || stages.back().width < width) {
    KernelStage<Number> next;
    const KernelStage<Number>& last = stages.back();
    next.grew_down = last.height < height && (last.height <= last.width || last.width == width);
    next.height = last.height + (next.grew_down ? 1 : 0);
    next.width = last.width + (next.grew_down ? 0 : 1);
    next.kernel.resize(next.height * next.width * tap_size);
    next.difference.resize(next.kernel.size());
    stages.push_back(std::move(next));
  }
  return stages;
}

// Calls visit(tap of `to`, the same tap of `from` or -1, the one before it or -1) for every tap.
template <typename Number, typename Visit>
void ForEachTap(const KernelStage<Number>& from, const KernelStage<Number>& to, Visit visit) {
  for (std::size_t y = 0; y < to.height; ++y) {
    for (std::size_t x = 0; x < to.width; ++x) {
      const auto tap = [&](std::size_t row, std::size_t column) {
        const bool inside = row < from.height && column < from.width;  // -1 wraps to the outside
        return inside ? static_cast<std::ptrdiff_t>(row * from.width + column) : -1;
      };
      visit(y * to.width + x, tap(y, x), to.grew_down ? tap(y - 1, x) : tap(y, x - 1));
    }
  }
}

// A'[u] = A[u - 1] + D[u] P, D[u] = A[u] - A[u - 1].
template <typename Number>
void Advance(const KernelStage<Number>& from, const std::vector<Number>& projection, std::size_t n,
             KernelStage<Number>& to) {
  const std::size_t size = to.kernel.size() / (to.height * to.width);
  ForEachTap(from, to, [&](std::size_t u, std::ptrdiff_t here, std::ptrdiff_t before) {
    for (std::size_t i = 0; i < size; ++i) {
      const auto at = [&](std::ptrdiff_t tap) {
        return tap < 0 ? Number{0} : from.kernel[static_cast<std::size_t>(tap) * size + i];
      };
      to.kernel[u * size + i] = at(before);
      to.difference[u * size + i] = at(here) - at(before);
    }
  });
  AddProduct(to.difference, projection, n, to.kernel);
}

// R R^T.
std::vector<double> Projection64(const std::vector<double>& r, std::size_t n) {
  const std::size_t rank = r.size() / n;
  std::vector<double> p(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < rank; ++k) p[i * n + j] += r[i * rank + k] * r[j * rank + k];
    }
  }
  return p;
}

// H and the R_i.
std::vector<Parameter> MakeMatrices(const ConvolutionLayer& geometry, std::mt19937_64& random) {
  const auto [few, many] = std::minmax(geometry.input.channels, geometry.output_channels);
  const std::size_t rank = std::max(many / 2, std::size_t{1});
  std::vector<Parameter> matrices = {
      MakeParameter("channels", RandomOrthogonal(few, many, random))};
  matrices[0].orthogonal_rows = few;
  const std::size_t factors = geometry.vertical.size + geometry.horizontal.size - 2;
  for (std::size_t i = 0; i < factors; ++i) {
    matrices.push_back(
        MakeParameter(absl::StrCat("projection", i), RandomOrthogonal(many, rank, random)));
    matrices.back().orthogonal_rows = many;
  }
  return matrices;
}

}  // namespace

BlockOrthogonalConvolution::BlockOrthogonalConvolution(const ConvolutionLayer& geometry,
                                                       bool use_bias, std::mt19937_64& random)
    : Convolution(geometry, use_bias, MakeMatrices(geometry, random)),
      few_(std::min(geometry.input.channels, geometry.output_channels)),
      many_(std::max(geometry.input.channels, geometry.output_channels)),
      rank_(std::max(many_ / 2, std::size_t{1})),
      stages_(Stages<float>(geometry.vertical.size, geometry.horizontal.size, few_ * many_)),
      matrices_(stages_.size()),
      projections_(stages_.size(), std::vector<float>(many_ * many_)),
      projection_gradient_(many_ * many_) {
  assert(IsPartOfPlaneOrTorus(geometry) && geometry.groups == 1);
}

std::size_t BlockOrthogonalConvolution::WeightIndex(std::size_t tap, std::size_t row,
                                                    std::size_t column) const {
  const std::size_t output = tall() ? column : row;
  const std::size_t input = tall() ? row : column;
  const std::size_t taps = stages_.back().height * stages_.back().width;
  return (output * geometry().input.channels + input) * taps + tap;
}

void BlockOrthogonalConvolution::PrepareStep(bool training) {
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    matrices_[i] = parameters_[i].values;
    const std::size_t rows = parameters_[i].orthogonal_rows;
    const MatrixView matrix{matrices_[i].data(), rows, matrices_[i].size() / rows};
    if (!training) {
      for (int k = 0; k < kEvaluationRetractions; ++k) NewtonRetraction(matrix, gram_, product_);
    }
    if (i == 0) {
      stages_[0].kernel = matrices_[0];
      continue;
    }
    Gemm(Op::kNone, Op::kTranspose, 1.0F, matrix, matrix, 0.0F,
         {projections_[i].data(), many_, many_});
    Advance(stages_[i - 1], projections_[i], many_, stages_[i]);
  }
  const std::vector<float>& last = stages_.back().kernel;
  float* weights = all_weights().data();
  for (std::size_t i = 0; i < last.size(); ++i) {
    weights[WeightIndex(i / (few_ * many_), i / many_ % few_, i % many_)] = last[i];
  }
}

void BlockOrthogonalConvolution::FinishStep() {
  stage_gradient_.resize(stages_.back().kernel.size());
  const float* gradient = all_weights_gradient().data();
  for (std::size_t i = 0; i < stage_gradient_.size(); ++i) {
    stage_gradient_[i] = gradient[WeightIndex(i / (few_ * many_), i / many_ % few_, i % many_)];
  }
  for (std::size_t i = stages_.size(); i-- > 1;) StepBack(i);
  parameters_[0].gradient = stage_gradient_;
}

void BlockOrthogonalConvolution::StepBack(std::size_t i) {
  const KernelStage<float>& to = stages_[i];
  const std::size_t size = few_ * many_;
  const std::size_t rows = to.kernel.size() / many_;
  const ConstMatrixView kernel_gradient{stage_gradient_.data(), rows, many_};
  const MatrixView dp{projection_gradient_.data(), many_, many_};
  Gemm(Op::kTranspose, Op::kNone, 1.0F, {to.difference.data(), rows, many_}, kernel_gradient, 0.0F,
       dp);
  const ConstMatrixView r{matrices_[i].data(), many_, rank_};
  const MatrixView dr{parameters_[i].gradient.data(), many_, rank_};
  Gemm(Op::kNone, Op::kNone, 1.0F, dp, r, 0.0F, dr);
  Gemm(Op::kTranspose, Op::kNone, 1.0F, dp, r, 1.0F, dr);
  difference_gradient_.assign(to.kernel.size(), 0.0F);
  AddProduct(stage_gradient_, projections_[i], many_, difference_gradient_);
  previous_gradient_.assign(stages_[i - 1].kernel.size(), 0.0F);
  ForEachTap(stages_[i - 1], to, [&](std::size_t u, std::ptrdiff_t here, std::ptrdiff_t before) {
    for (std::size_t k = 0; k < size; ++k) {
      const float dd = difference_gradient_[u * size + k];
      if (here >= 0) previous_gradient_[static_cast<std::size_t>(here) * size + k] += dd;
      if (before < 0) continue;
      previous_gradient_[static_cast<std::size_t>(before) * size + k] +=
          stage_gradient_[u * size + k] - dd;
    }
  });
  std::swap(stage_gradient_, previous_gradient_);
}

FrozenLayer BlockOrthogonalConvolution::Freeze() const {
  std::vector<KernelStage<double>> stages =
      Stages<double>(geometry().vertical.size, geometry().horizontal.size, few_ * many_);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    const std::size_t rows = parameter.orthogonal_rows;
    const std::vector<double> matrix =
        PolarFactor({parameter.values.data(), rows, parameter.values.size() / rows});
    if (i == 0) {
      stages[0].kernel = matrix;
    } else {
      Advance(stages[i - 1], Projection64(matrix, many_), many_, stages[i]);
    }
  }
  const std::vector<double>& last = stages.back().kernel;
  std::vector<double> weights(last.size());
  for (std::size_t i = 0; i < last.size(); ++i) {
    weights[WeightIndex(i / (few_ * many_), i / many_ % few_, i % many_)] = last[i];
  }
  return FreezeWith(weights);
}

}  // namespace lipserve::trainer
