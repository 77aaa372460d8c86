// SPDX-License-Identifier: Apache-2.0
// The gradient check that every layer must pass, and its Lipschitz counterpart.
#ifndef TESTS_TRAINER_GRADIENT_CHECK_H_
#define TESTS_TRAINER_GRADIENT_CHECK_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/network/matrix_view.h"
#include "tests/trainer/matrices.h"
#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Checks dx and the gradient of every parameter of `layer` against central differences of
// L = <c, y> with random c.
//
// Tolerance: y is float32, so each L that enters (L(+h) - L(-h)) / 2h is off by up to
// kappa u ||c|| ||y||, u = 2^-24, where kappa covers the few roundings on the way through the
// layer (Gemm sums, Bjorck's iterations); the difference quotient is off by that over h. Cutting
// Taylor's series costs h^2 / 6 L''', with L''' <= 6 ||c|| ||y|| for the layers here, whose
// kernels have singular values near 1. With h = 2^-7: (16 u / h + h^2) ||c|| ||y|| = 1.8e-4 ||c||
// ||y||. A wrong term in a gradient is of the order of ||c|| ||y||.
//
// Requires: L smooth within h of x and of the parameters (no ties in a sort).
inline void ExpectGradientsMatchDifferences(Layer& layer, std::vector<float> inputs,
                                            std::size_t batch, std::mt19937_64& random) {
  constexpr float kStep = 0x1p-7F;
  constexpr double kUnitRoundoff = 0x1p-24;
  const std::size_t out_size = layer.output_shape().size();
  const std::size_t in_size = inputs.size() / batch;
  const std::vector<float> c = RandomNumbers(batch * out_size, random);
  std::vector<float> outputs(batch * out_size);
  const ConstMatrixView x{inputs.data(), batch, in_size};
  const MatrixView y{outputs.data(), batch, out_size};
  const auto inner = [](const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    return sum;
  };
  const auto loss = [&] {
    layer.PrepareStep(false);
    layer.Forward(x, y);
    return inner(c, outputs);
  };

  layer.PrepareStep(true);
  layer.Forward(x, y);
  std::vector<float> input_gradient(inputs.size());
  layer.Backward(x, y, {c.data(), batch, out_size}, {input_gradient.data(), batch, in_size});
  layer.FinishStep();
  const double h = static_cast<double>(kStep);
  const double tolerance =
      (16.0 * kUnitRoundoff / h + h * h) * std::sqrt(inner(c, c) * inner(outputs, outputs));

  const auto check = [&](std::vector<float>& values, const std::vector<float>& gradient,
                         const char* name) {
    ASSERT_EQ(values.size(), gradient.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float value = values[i];
      values[i] = value + kStep;
      const double width = static_cast<double>(values[i]) - static_cast<double>(value);
      const double above = loss();
      values[i] = value - kStep;
      const double below = loss();
      const double full_width =
          width + (static_cast<double>(value) - static_cast<double>(values[i]));
      values[i] = value;
      EXPECT_NEAR(static_cast<double>(gradient[i]), (above - below) / full_width, tolerance)
          << name << "[" << i << "]";
    }
  };
  check(inputs, input_gradient, "x");
  for (Parameter& parameter : layer.parameters()) {
    const std::vector<float> gradient = parameter.gradient;
    check(parameter.values, gradient, parameter.name.c_str());
  }
}

// A layer that is in training whatever it is told, to check gradients of layers that compute
// something else in evaluation: retracted weights, running means.
class InTraining final : public Layer {
 public:
  explicit InTraining(Layer& layer) : layer_(layer) { parameters_ = layer.parameters(); }

  std::string type() const override { return layer_.type(); }
  SampleShape output_shape() const override { return layer_.output_shape(); }
  void PrepareStep(bool /*training*/) override {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      layer_.parameters()[i].values = parameters_[i].values;
    }
    layer_.PrepareStep(true);
  }
  void Forward(ConstMatrixView x, MatrixView y) override { layer_.Forward(x, y); }
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override {
    layer_.Backward(x, y, dy, dx);
  }
  void FinishStep() override {
    layer_.FinishStep();
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      parameters_[i].gradient = layer_.parameters()[i].gradient;
    }
  }
  FrozenLayer Freeze() const override { return layer_.Freeze(); }

 private:
  Layer& layer_;
};

// The largest ||y(a) - y(b)||_2 / ||a - b||_2 over random pairs, near and far.
inline double LargestStretch(Layer& layer, std::size_t in_size, std::mt19937_64& random) {
  constexpr std::size_t kPairs = 200;
  const std::size_t out_size = layer.output_shape().size();
  const std::vector<float> a = RandomNumbers(kPairs * in_size, random);
  std::vector<float> b = RandomNumbers(kPairs * in_size, random);
  for (std::size_t i = 0; i < b.size() / 2; ++i) {
    b[i] = a[i] + std::copysign(0.01F + 0.01F * std::abs(b[i]), b[i]);
  }
  std::vector<float> y_a(kPairs * out_size);
  std::vector<float> y_b(kPairs * out_size);
  layer.PrepareStep(false);
  layer.Forward({a.data(), kPairs, in_size}, {y_a.data(), kPairs, out_size});
  layer.Forward({b.data(), kPairs, in_size}, {y_b.data(), kPairs, out_size});
  const auto distance = [](const float* p, const float* q, std::size_t size) {
    double sum = 0.0;
    for (std::size_t i = 0; i < size; ++i) {
      const double difference = static_cast<double>(p[i]) - static_cast<double>(q[i]);
      sum += difference * difference;
    }
    return std::sqrt(sum);
  };
  double largest = 0.0;
  for (std::size_t pair = 0; pair < kPairs; ++pair) {
    const double stretch = distance(&y_a[pair * out_size], &y_b[pair * out_size], out_size) /
                           distance(&a[pair * in_size], &b[pair * in_size], in_size);
    largest = std::max(largest, stretch);
  }
  return largest;
}

// What LargestStretch may exceed a layer's constant by: float32 rounds each y by at most a few
// units of its size, and the near pairs (distance 0.01 sqrt(n) or more, ||y|| about sqrt(n))
// magnify that a hundred times: 100 * (n + 8) / 4 * 2^-24 stays below this for n <= 64 (errors add
// up like random signs, not like the worst case).
inline constexpr double kStretchRounding = 1e-4;

}  // namespace lipserve::trainer

#endif  // TESTS_TRAINER_GRADIENT_CHECK_H_
