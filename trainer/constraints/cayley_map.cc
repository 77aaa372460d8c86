// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/cayley_map.h"

#include <algorithm>
#include <cassert>

#include "model/execution/onednn.h"
#include "trainer/constraints/block_inverse.h"

namespace lipserve::trainer {
namespace {

using onednn::Gemm;
using onednn::Op;

void Transpose(ConstMatrixView from, MatrixView to) {
  for (std::size_t r = 0; r < from.rows; ++r) {
    for (std::size_t c = 0; c < from.cols; ++c) {
      to.data[c * from.rows + r] = from.data[r * from.cols + c];
    }
  }
}

// out = M + sign * M^T.
void AddTranspose(ConstMatrixView matrix, float sign, MatrixView out) {
  const std::size_t side = matrix.rows;
  for (std::size_t r = 0; r < side; ++r) {
    for (std::size_t c = 0; c < side; ++c) {
      out.data[r * side + c] = matrix.data[r * side + c] + sign * matrix.data[c * side + r];
    }
  }
}

}  // namespace

CayleyMap::CayleyMap(std::size_t rows, std::size_t cols)
    : wide_(rows < cols),
      side_(std::min(rows, cols)),
      length_(std::max(rows, cols)),
      resolvent_(side_ * side_),
      square_(side_ * side_),
      product_(side_ * side_),
      tall_kernel_(wide_ ? rows * cols : 0),
      tall_gradient_(tall_kernel_.size()),
      tall_result_(tall_kernel_.size()) {}

void CayleyMap::Forward(ConstMatrixView kernel, MatrixView weights) {
  assert(kernel.size() == side_ * length_ && weights.size() == side_ * length_);
  if (!wide_) return ForwardTall(kernel, weights);
  const MatrixView tall_kernel{tall_kernel_.data(), length_, side_};
  const MatrixView tall_weights{tall_result_.data(), length_, side_};
  Transpose(kernel, tall_kernel);
  ForwardTall(tall_kernel, tall_weights);
  Transpose(tall_weights, weights);
}

void CayleyMap::ForwardTall(ConstMatrixView kernel, MatrixView weights) {
  const MatrixView resolvent = Side(resolvent_);
  AddTranspose({kernel.data, side_, side_}, -1.0F, resolvent);
  const ConstMatrixView below = Below(kernel);
  if (below.rows > 0) Gemm(Op::kTranspose, Op::kNone, 1.0F, below, below, 1.0F, resolvent);
  for (std::size_t i = 0; i < side_; ++i) resolvent_[i * side_ + i] += 1.0F;
  InvertPositive(resolvent);

  std::transform(resolvent_.begin(), resolvent_.end(), weights.data,
                 [](float value) { return 2.0F * value; });
  for (std::size_t i = 0; i < side_; ++i) weights.data[i * side_ + i] -= 1.0F;
  if (below.rows > 0) {
    Gemm(Op::kNone, Op::kNone, -2.0F, below, resolvent, 0.0F, Below(weights));
  }
}

void CayleyMap::Backward(ConstMatrixView kernel, ConstMatrixView weights_gradient,
                         MatrixView kernel_gradient) {
  if (!wide_) return BackwardTall(kernel, weights_gradient, kernel_gradient);
  const MatrixView tall_kernel{tall_kernel_.data(), length_, side_};
  const MatrixView tall_gradient{tall_gradient_.data(), length_, side_};
  const MatrixView tall_kernel_gradient{tall_result_.data(), length_, side_};
  Transpose(weights_gradient, tall_gradient);
  BackwardTall(tall_kernel, tall_gradient, tall_kernel_gradient);
  Transpose(tall_kernel_gradient, kernel_gradient);
}

void CayleyMap::BackwardTall(ConstMatrixView kernel, ConstMatrixView weights_gradient,
                             MatrixView kernel_gradient) {
  const MatrixView resolvent_gradient = Side(square_);
  const MatrixView resolvent = Side(resolvent_);
  const MatrixView product = Side(product_);
  const ConstMatrixView below = Below(kernel);
  const ConstMatrixView below_gradient = Below(weights_gradient);
  std::transform(weights_gradient.data, weights_gradient.data + side_ * side_, square_.begin(),
                 [](float value) { return 2.0F * value; });
  if (below.rows > 0) {
    Gemm(Op::kTranspose, Op::kNone, -2.0F, below, below_gradient, 1.0F, resolvent_gradient);
  }
  const MatrixView skew_gradient{kernel_gradient.data, side_, side_};
  Gemm(Op::kTranspose, Op::kNone, -1.0F, resolvent, resolvent_gradient, 0.0F, product);
  Gemm(Op::kNone, Op::kTranspose, 1.0F, product, resolvent, 0.0F, Side(square_));
  AddTranspose(Side(square_), -1.0F, skew_gradient);
  if (below.rows == 0) return;
  AddTranspose(Side(square_), 1.0F, product);
  Gemm(Op::kNone, Op::kNone, 1.0F, below, product, 0.0F, Below(kernel_gradient));
  Gemm(Op::kNone, Op::kTranspose, -2.0F, below_gradient, resolvent, 1.0F, Below(kernel_gradient));
}

}  // namespace lipserve::trainer
