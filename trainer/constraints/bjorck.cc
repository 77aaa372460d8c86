// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/bjorck.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <span>
#include <utility>

#include "model/execution/onednn.h"
#include "trainer/constraints/inner_product.h"

namespace lipserve::trainer {
namespace {

using onednn::Gemm;
using onednn::Op;

std::span<const float> Flat(ConstMatrixView matrix) { return {matrix.data, matrix.size()}; }

void Copy(ConstMatrixView from, MatrixView to) { std::copy_n(from.data, from.size(), to.data); }

// out = weight_a * a + weight_m * m + weight_t * m^T, in tiles so that the transposed reads stay
// in the cache. `out` may be `a` but not `m`.
void AddWithTranspose(float weight_a, ConstMatrixView a, float weight_m, float weight_t,
                      ConstMatrixView m, MatrixView out) {
  constexpr std::size_t kTile = 16;
  const std::size_t side = a.rows;
  for (std::size_t row_begin = 0; row_begin < side; row_begin += kTile) {
    const std::size_t row_end = std::min(row_begin + kTile, side);
    for (std::size_t col_begin = 0; col_begin < side; col_begin += kTile) {
      const std::size_t col_end = std::min(col_begin + kTile, side);
      for (std::size_t r = row_begin; r < row_end; ++r) {
        for (std::size_t c = col_begin; c < col_end; ++c) {
          // The sum in brackets makes the result exactly symmetric if weight_m is weight_t.
          out.data[r * side + c] =
              weight_a * a.data[r * side + c] +
              (weight_m * m.data[r * side + c] + weight_t * m.data[c * side + r]);
        }
      }
    }
  }
}

}  // namespace

BjorckPolynomial::BjorckPolynomial(std::size_t side, const BjorckOptions& options)
    : side_(side),
      options_(options),
      linear_(1.0F - 2.0F * options.beta),
      quadratic_(2.0F * options.beta - options.beta * options.beta),
      cubic_(options.beta * options.beta),
      defects_(options.max_iterations * side * side),
      polynomials_(options.max_iterations * side * side),
      square_(side * side),
      defect_gradient_(side * side),
      product_(side * side),
      unsymmetric_(side * side),
      next_polynomial_gradient_(side * side) {
  assert(options.max_iterations >= 1);
}

ConstMatrixView BjorckPolynomial::Forward(ConstMatrixView gram, float scale) {
  assert(gram.rows == side_ && gram.cols == side_);
  const MatrixView first = Defect(0);
  for (std::size_t i = 0; i < first.size(); ++i) first.data[i] = -scale * gram.data[i];
  for (std::size_t i = 0; i < side_; ++i) first.data[i * side_ + i] += 1.0F;

  for (std::size_t k = 0;; ++k) {
    AdvancePolynomial(k);
    iterations_ = k + 1;
    if (iterations_ == options_.max_iterations) break;
    const ConstMatrixView defect = Defect(k);
    const MatrixView square = View(square_);
    Gemm(Op::kNone, Op::kNone, 1.0F, defect, defect, 0.0F, square);
    const float change_squared =
        InnerProduct(Flat(defect), Flat(defect)) - InnerProduct(Flat(square), Flat(defect));
    if (options_.beta * std::sqrt(std::max(change_squared, 0.0F)) < options_.tolerance) break;
    AdvanceDefect(k);
  }
  return Polynomial(iterations_);
}

void BjorckPolynomial::AdvancePolynomial(std::size_t k) {
  const ConstMatrixView defect = Defect(k);
  const MatrixView next = Polynomial(k + 1);
  if (k == 0) {
    for (std::size_t i = 0; i < next.size(); ++i) next.data[i] = options_.beta * defect.data[i];
    for (std::size_t i = 0; i < side_; ++i) next.data[i * side_ + i] += 1.0F;
    return;
  }
  Copy(Polynomial(k), next);
  Gemm(Op::kNone, Op::kNone, options_.beta, defect, Polynomial(k), 1.0F, next);
}

void BjorckPolynomial::AdvanceDefect(std::size_t k) {
  const ConstMatrixView defect = Defect(k);
  const MatrixView next = Defect(k + 1);
  for (std::size_t i = 0; i < next.size(); ++i) {
    next.data[i] = linear_ * defect.data[i] + quadratic_ * square_[i];
  }
  Gemm(Op::kNone, Op::kNone, cubic_, defect, View(square_), 1.0F, next);
}

ConstMatrixView BjorckPolynomial::Backward(MatrixView polynomial_gradient) {
  assert(iterations_ >= 1);
  const MatrixView defect_gradient = View(defect_gradient_);
  // The last iteration used no E after it: F = 0 there.
  std::fill(defect_gradient_.begin(), defect_gradient_.end(), 0.0F);
  std::fill(unsymmetric_.begin(), unsymmetric_.end(), 0.0F);
  MatrixView gradient = polynomial_gradient;
  MatrixView next_gradient = View(next_polynomial_gradient_);
  for (std::size_t k = iterations_; k-- > 0;) {
    if (k + 1 < iterations_) DefectGradient(k);
    AddPolynomialGradient(k, gradient);
    AddWithTranspose(linear_, defect_gradient, 0.5F, 0.5F, View(unsymmetric_), defect_gradient);
    if (k == 0) break;
    Copy(gradient, next_gradient);
    Gemm(Op::kNone, Op::kNone, options_.beta, Defect(k), gradient, 1.0F, next_gradient);
    std::swap(gradient, next_gradient);
  }
  return defect_gradient;
}

void BjorckPolynomial::DefectGradient(std::size_t k) {
  const MatrixView product = View(product_);
  const MatrixView mixed = View(square_);
  Gemm(Op::kNone, Op::kNone, 1.0F, Defect(k), View(defect_gradient_), 0.0F, product);
  AddWithTranspose(quadratic_, View(defect_gradient_), cubic_, 0.5F * cubic_, product, mixed);
  Gemm(Op::kNone, Op::kNone, 2.0F, Defect(k), mixed, 0.0F, View(unsymmetric_));
}

void BjorckPolynomial::AddPolynomialGradient(std::size_t k, ConstMatrixView polynomial_gradient) {
  if (k > 0) {
    Gemm(Op::kNone, Op::kNone, options_.beta, polynomial_gradient, Polynomial(k), 1.0F,
         View(unsymmetric_));
    return;
  }
  for (std::size_t i = 0; i < unsymmetric_.size(); ++i) {
    unsymmetric_[i] += options_.beta * polynomial_gradient.data[i];
  }
}

}  // namespace lipserve::trainer
