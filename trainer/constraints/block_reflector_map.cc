// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/block_reflector_map.h"

#include <cassert>

#include "model/execution/onednn.h"
#include "trainer/constraints/block_inverse.h"

namespace lipserve::trainer {
namespace {

using onednn::Gemm;
using onednn::Op;

ConstMatrixView Top(ConstMatrixView matrix, std::size_t rows) {
  return {matrix.data, rows, matrix.cols};
}
MatrixView Top(MatrixView matrix, std::size_t rows) { return {matrix.data, rows, matrix.cols}; }

}  // namespace

BlockReflectorMap::BlockReflectorMap(std::size_t rows, std::size_t cols, std::size_t rank)
    : rows_(rows),
      cols_(cols),
      rank_(rank),
      inverse_gram_(rank * rank),
      kernel_times_a_(std::max(rows, cols) * rank),
      factor_(rank * rank),
      gram_gradient_(rank * rank),
      gradient_times_(std::max(rows, cols) * rank) {
  assert(rank >= 1 && rank <= std::max(rows, cols));
}

void BlockReflectorMap::Forward(ConstMatrixView kernel, MatrixView weights) {
  assert(kernel.rows == std::max(rows_, cols_) && kernel.cols == rank_);
  const MatrixView factor = Small(factor_);
  const MatrixView a = Small(inverse_gram_);
  const MatrixView kernel_times_a = Tall(kernel_times_a_, kernel.rows);
  Gemm(Op::kTranspose, Op::kNone, 1.0F, kernel, kernel, 0.0F, factor);
  InvertCholeskyFactor(factor);
  Gemm(Op::kTranspose, Op::kNone, 1.0F, factor, factor, 0.0F, a);
  Gemm(Op::kNone, Op::kNone, 1.0F, kernel, a, 0.0F, kernel_times_a);
  Gemm(Op::kNone, Op::kTranspose, -2.0F, Top(kernel_times_a, rows_), Top(kernel, cols_), 0.0F,
       weights);
  for (std::size_t i = 0; i < std::min(rows_, cols_); ++i) weights.data[i * cols_ + i] += 1.0F;
}

void BlockReflectorMap::Backward(ConstMatrixView kernel, ConstMatrixView weights_gradient,
                                 MatrixView kernel_gradient) {
  const MatrixView a = Small(inverse_gram_);
  const MatrixView scratch = Small(factor_);
  const MatrixView gram_gradient = Small(gram_gradient_);
  const MatrixView kernel_times_a = Tall(kernel_times_a_, kernel.rows);
  const MatrixView left = Tall(gradient_times_, rows_);
  Gemm(Op::kNone, Op::kNone, -2.0F, weights_gradient, Top(kernel, cols_), 0.0F, left);
  // dA + dA^T.
  Gemm(Op::kTranspose, Op::kNone, 1.0F, Top(kernel, rows_), left, 0.0F, gram_gradient);
  Gemm(Op::kTranspose, Op::kNone, 1.0F, left, Top(kernel, rows_), 1.0F, gram_gradient);
  Gemm(Op::kNone, Op::kNone, 1.0F, gram_gradient, a, 0.0F, scratch);
  Gemm(Op::kNone, Op::kNone, -1.0F, kernel_times_a, scratch, 0.0F, kernel_gradient);
  Gemm(Op::kNone, Op::kNone, 1.0F, left, a, 1.0F, Top(kernel_gradient, rows_));
  // -2 dW^T Y A = -2 dW^T (V A)'s first rows.
  Gemm(Op::kTranspose, Op::kNone, -2.0F, weights_gradient, Top(kernel_times_a, rows_), 1.0F,
       Top(kernel_gradient, cols_));
}

}  // namespace lipserve::trainer
