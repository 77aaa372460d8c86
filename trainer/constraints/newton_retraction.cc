// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/newton_retraction.h"

#include <algorithm>
#include <cstddef>

#include "model/execution/onednn.h"

namespace lipserve::trainer {

using onednn::Gemm;
using onednn::Op;

void NewtonRetraction(MatrixView matrix, std::vector<float>& gram, std::vector<float>& product) {
  const bool wide = matrix.rows <= matrix.cols;
  const std::size_t side = std::min(matrix.rows, matrix.cols);
  gram.resize(side * side);
  product.resize(matrix.size());
  const MatrixView g{gram.data(), side, side};
  const MatrixView p{product.data(), matrix.rows, matrix.cols};
  if (wide) {
    Gemm(Op::kNone, Op::kTranspose, 1.0F, matrix, matrix, 0.0F, g);
    Gemm(Op::kNone, Op::kNone, 1.0F, g, matrix, 0.0F, p);
  } else {
    Gemm(Op::kTranspose, Op::kNone, 1.0F, matrix, matrix, 0.0F, g);
    Gemm(Op::kNone, Op::kNone, 1.0F, matrix, g, 0.0F, p);
  }
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    matrix.data[i] = 1.5F * matrix.data[i] - 0.5F * product[i];
  }
}

}  // namespace lipserve::trainer
