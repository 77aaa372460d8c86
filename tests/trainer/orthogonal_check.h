// SPDX-License-Identifier: Apache-2.0
// The law of orthogonality: all singular values are 1. What every orthogonal layer is held against.
#ifndef TESTS_TRAINER_ORTHOGONAL_CHECK_H_
#define TESTS_TRAINER_ORTHOGONAL_CHECK_H_

#include <cstddef>
#include <random>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/gradient_check.h"
#include "tests/trainer/matrices.h"

namespace lipserve::trainer {

// Expects the largest and the smallest singular value to be 1 up to `tolerance`.
inline void ExpectOrthogonal(const Matrix64& matrix, double tolerance) {
  const std::vector<double> values = SingularValues(matrix);
  EXPECT_NEAR(values.front(), 1.0, tolerance) << matrix.rows << " x " << matrix.cols;
  EXPECT_NEAR(values.back(), 1.0, tolerance) << matrix.rows << " x " << matrix.cols;
}

inline void ExpectOrthogonal(ConstMatrixView matrix, double tolerance) {
  ExpectOrthogonal(ToFloat64({matrix.data, matrix.size()}, matrix.rows, matrix.cols), tolerance);
}

// Rows and columns, up to those of the demo's first layer.
inline constexpr std::pair<std::size_t, std::size_t> kMatrixShapes[] = {
    {1, 1}, {1, 9}, {9, 1}, {8, 8}, {5, 20}, {20, 5}, {16, 100}, {32, 784}};

struct KernelShape {
  std::size_t units;
  std::size_t inputs;
};
// Wide, tall, square, a row, a column and a number.
inline constexpr KernelShape kKernelShapes[] = {{5, 12}, {12, 5}, {6, 6}, {1, 7}, {7, 1}, {1, 1}};

// The matrix that a dense layer multiplies by.
template <typename TrainableDense>
Matrix64 Weights64(const TrainableDense& layer) {
  const ConstMatrixView w = layer.effective_weights();
  return ToFloat64({w.data, w.size()}, w.rows, w.cols);
}

// Expects a dense layer not to stretch. With at least as many inputs as units, Backward must keep
// the norm of a gradient up to `tolerance`, relative to it.
inline void ExpectNeverStretchesAndKeepsGradientNorms(Layer& layer, const KernelShape& shape,
                                                      double tolerance, std::mt19937_64& random) {
  EXPECT_LE(LargestStretch(layer, shape.inputs, random), 1.0 + kStretchRounding);
  if (shape.units > shape.inputs) return;
  const std::vector<float> x = RandomNumbers(shape.inputs, random);
  const std::vector<float> dy = RandomNumbers(shape.units, random);
  std::vector<float> y(shape.units);
  std::vector<float> dx(shape.inputs);
  layer.Backward({x.data(), 1, shape.inputs}, {y.data(), 1, shape.units},
                 {dy.data(), 1, shape.units}, {dx.data(), 1, shape.inputs});
  const double norm = FrobeniusNorm(ToFloat64(dy, 1, dy.size()));
  EXPECT_NEAR(FrobeniusNorm(ToFloat64(dx, 1, dx.size())), norm, tolerance * norm);
}

// Expects a dense layer, whose bias is 0 or subnormal, to freeze to an orthogonal matrix with zeros
// as bias. Each weight may differ by `tolerance` from the one that training multiplies by.
template <typename TrainableDense>
void ExpectFreezesOrthogonal(const TrainableDense& layer, const KernelShape& shape,
                             double tolerance) {
  const DenseLayer frozen = std::get<DenseLayer>(layer.Freeze());
  EXPECT_EQ(frozen.inputs, shape.inputs);
  EXPECT_EQ(frozen.outputs, shape.units);
  EXPECT_EQ(frozen.bias, std::vector<float>(shape.units, 0.0F));
  EXPECT_EQ(frozen.claimed_operator_norm_bound, 0.0);
  ExpectOrthogonal(ConstMatrixView{frozen.weights.data(), shape.units, shape.inputs}, 1e-6);
  for (std::size_t i = 0; i < frozen.weights.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(frozen.weights[i]),
                static_cast<double>(layer.effective_weights().data[i]), tolerance);
  }
}

}  // namespace lipserve::trainer

#endif  // TESTS_TRAINER_ORTHOGONAL_CHECK_H_
