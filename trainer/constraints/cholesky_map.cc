// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/cholesky_map.h"

#include <algorithm>
#include <cassert>

#include "model/execution/onednn.h"
#include "trainer/constraints/block_inverse.h"

namespace lipserve::trainer {
namespace {

using onednn::Gemm;
using onednn::Op;

// Replaces M by P + P^T, P the lower triangle of M with half its diagonal.
void SymmetrizeLowerTriangle(MatrixView matrix) {
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    for (std::size_t c = 0; c < r; ++c) {
      matrix.data[c * matrix.cols + r] = matrix.data[r * matrix.cols + c];
    }
  }
}

}  // namespace

CholeskyMap::CholeskyMap(std::size_t rows, std::size_t cols)
    : wide_(rows <= cols),
      side_(std::min(rows, cols)),
      inverse_factor_(side_ * side_),
      weights_(rows * cols),
      product_(side_ * side_),
      tangent_(rows * cols) {}

void CholeskyMap::Forward(ConstMatrixView kernel, MatrixView weights) {
  assert(kernel.size() == weights_.size() && weights.size() == weights_.size());
  const MatrixView inverse_factor = Side(inverse_factor_);
  if (wide_) {
    Gemm(Op::kNone, Op::kTranspose, 1.0F, kernel, kernel, 0.0F, inverse_factor);
    InvertCholeskyFactor(inverse_factor);
    Gemm(Op::kNone, Op::kNone, 1.0F, inverse_factor, kernel, 0.0F, weights);
  } else {
    Gemm(Op::kTranspose, Op::kNone, 1.0F, kernel, kernel, 0.0F, inverse_factor);
    InvertCholeskyFactor(inverse_factor);
    Gemm(Op::kNone, Op::kTranspose, 1.0F, kernel, inverse_factor, 0.0F, weights);
  }
  std::copy_n(weights.data, weights.size(), weights_.begin());
}

void CholeskyMap::Backward(ConstMatrixView /*kernel*/, ConstMatrixView weights_gradient,
                           MatrixView kernel_gradient) {
  const ConstMatrixView weights{weights_.data(), weights_gradient.rows, weights_gradient.cols};
  const MatrixView tangent{tangent_.data(), weights.rows, weights.cols};
  const MatrixView product = Side(product_);
  const MatrixView inverse_factor = Side(inverse_factor_);
  std::copy_n(weights_gradient.data, weights_gradient.size(), tangent_.begin());
  if (wide_) {
    Gemm(Op::kNone, Op::kTranspose, 1.0F, weights_gradient, weights, 0.0F, product);
    SymmetrizeLowerTriangle(product);
    Gemm(Op::kNone, Op::kNone, -1.0F, product, weights, 1.0F, tangent);
    Gemm(Op::kTranspose, Op::kNone, 1.0F, inverse_factor, tangent, 0.0F, kernel_gradient);
  } else {
    Gemm(Op::kTranspose, Op::kNone, 1.0F, weights_gradient, weights, 0.0F, product);
    SymmetrizeLowerTriangle(product);
    Gemm(Op::kNone, Op::kNone, -1.0F, weights, product, 1.0F, tangent);
    Gemm(Op::kNone, Op::kNone, 1.0F, tangent, inverse_factor, 0.0F, kernel_gradient);
  }
}

}  // namespace lipserve::trainer
