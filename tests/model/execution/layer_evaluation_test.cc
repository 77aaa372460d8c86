// SPDX-License-Identifier: Apache-2.0
// Every layer in the float32 and float64 evaluation against its definition in quadruple precision:
// what they compute errs by no more than the certificate's Lemma 1 says, for each single number.
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "model/arithmetic/outward_rounding.h"
#include "model/execution/float64_network.h"
#include "model/execution/inference_graph.h"
#include "tests/model/layer_cases.h"

namespace lipserve {
namespace {

template <typename Layer>
Layer WithAbsoluteWeights(Layer layer) {
  for (float& w : layer.weights) w = std::fabs(w);
  for (float& b : layer.bias) b = std::fabs(b);
  return layer;
}

struct Absolute {
  FrozenLayer operator()(auto layer) const {
    if constexpr (requires { layer.weights; }) return WithAbsoluteWeights(layer);
    return layer;
  }
};

// |x| + |T|^T (|T| |x| + |b|).
std::vector<Quad> PotentialMagnitudes(const LayerCase& test, const std::vector<Quad>& absolute) {
  std::vector<Quad> y = absolute;
  std::visit(
      [&](const auto& inner) {
        auto weights = WithAbsoluteWeights(inner);
        const std::vector<Quad> hidden = QuadLayer{absolute, test.input}(weights);
        for (float& w : weights.weights) w = -w;
        QuadLayer::SubtractTransposed(weights, hidden, y);
      },
      std::get<ConvexPotentialLayer>(test.layer).inner);
  return y;
}

// The layer's definition. A sum adds x to itself.
std::vector<Quad> Evaluate(const LayerCase& test, const FrozenLayer& layer,
                           const std::vector<Quad>& x) {
  return std::visit(QuadLayer{x, test.input, &x}, layer);
}

// |T| |x| + |b| of Lemma 1, for every output.
std::vector<Quad> Magnitudes(const LayerCase& test, std::span<const float> x) {
  std::vector<Quad> absolute(x.begin(), x.end());
  for (Quad& value : absolute) value = QuadAbs(value);
  if (std::holds_alternative<ConvexPotentialLayer>(test.layer)) {
    return PotentialMagnitudes(test, absolute);
  }
  if (std::holds_alternative<PReluLayer>(test.layer)) {
    std::vector<Quad> exact = Evaluate(test, test.layer, std::vector<Quad>(x.begin(), x.end()));
    for (Quad& value : exact) value = QuadAbs(value);
    return exact;
  }
  if (const auto* const householder = std::get_if<HouseholderLayer>(&test.layer)) {
    // |z| + |v| <|v|, |z|>: with -|v| in the place of v and |z| turned round, nothing cancels.
    HouseholderLayer grown = *householder;
    for (float& v : grown.directions) v = -std::fabs(v);
    for (Quad& value : absolute) value = -value;
    std::vector<Quad> y = QuadLayer{absolute, test.input}(grown);
    for (std::size_t k = 0; k < y.size(); ++k) y[k] = QuadAbs(2 * absolute[k] - y[k]);
    return y;
  }
  return Evaluate(test, std::visit(Absolute(), test.layer), absolute);
}

// Products of one output.
std::size_t FanIn(const FrozenLayer& layer) {
  if (const auto* dense = std::get_if<DenseLayer>(&layer)) return dense->inputs;
  if (const auto* convolution = std::get_if<ConvolutionLayer>(&layer)) return convolution->fan_in();
  if (const auto* average = std::get_if<AveragePoolLayer>(&layer)) {
    return average->window_height * average->window_width;
  }
  if (const auto* norm = std::get_if<L2NormPoolLayer>(&layer)) {
    return norm->window_height * norm->window_width;
  }
  if (const auto* potential = std::get_if<ConvexPotentialLayer>(&layer)) {
    // Of T, of T^T, and the difference.
    if (const auto* inner = std::get_if<DenseLayer>(&potential->inner)) {
      return inner->inputs + inner->outputs + 2;
    }
    const auto& inner = std::get<ConvolutionLayer>(potential->inner);
    return inner.fan_in() + inner.fan_in() * inner.output_channels / inner.input.channels + 2;
  }
  if (std::holds_alternative<PReluLayer>(layer)) return 1;
  if (std::holds_alternative<HouseholderLayer>(layer)) return 3;
  if (std::holds_alternative<SumLayer>(layer)) return 1;
  return 0;
}

// The rounding error that the proof allows a number computed with unit roundoff u.
double Allowed(const LayerCase& test, double magnitude, double unit_roundoff) {
  if (FanIn(test.layer) == 0) return 0.0;
  return Gamma(static_cast<double>(FanIn(test.layer) + 1), unit_roundoff).value() * magnitude;
}

template <typename Number>
void ExpectWithinBound(const LayerCase& test, std::span<const float> x, std::span<const Number> got,
                       double unit_roundoff) {
  const std::vector<Quad> exact = Evaluate(test, test.layer, std::vector<Quad>(x.begin(), x.end()));
  const std::vector<Quad> magnitudes = Magnitudes(test, x);
  ASSERT_EQ(got.size(), exact.size());
  for (std::size_t k = 0; k < exact.size(); ++k) {
    const auto error = static_cast<double>(QuadAbs(static_cast<Quad>(got[k]) - exact[k]));
    ASSERT_LE(error, Allowed(test, static_cast<double>(magnitudes[k]), unit_roundoff))
        << "output " << k << " of " << exact.size();
  }
}

// The norms that an evaluation reports are bounds, and tight ones, of what its layers read.
void ExpectNormsOfTheInput(const LayerCase& test, ConstMatrixView inputs,
                           std::span<const Upper> norms) {
  if (OnlyMovesNumbers(test.layer)) return;
  ASSERT_EQ(norms.size(), 2 * inputs.rows);
  const Quad values = std::holds_alternative<SumLayer>(test.layer) ? 2 : 1;
  for (std::size_t r = 0; r < inputs.rows; ++r) {
    Quad squares = 0;
    for (const float value : inputs.row(r)) squares += static_cast<Quad>(value) * value;
    EXPECT_GE(static_cast<Quad>(norms[r].value()), values * QuadSqrt(squares));
    EXPECT_LE(static_cast<Quad>(norms[r].value()), values * QuadSqrt(squares) * (1 + 1e-8));
  }
}

class LayerEvaluationTest : public ::testing::TestWithParam<LayerCase> {
 protected:
  static constexpr std::size_t kBatch = 5;

  std::mt19937_64 random_{5};
  FrozenNetwork network_ = NetworkOf(GetParam());
  std::size_t size_ = GetParam().input.size();
  std::vector<float> x_ = RandomFloats(random_, kBatch* size_, 1.0);
  std::size_t num_norms_ = OnlyMovesNumbers(GetParam().layer) ? 1 : 2;
};

TEST_P(LayerEvaluationTest, Float32ErrsWithinTheBoundAtEveryBatchSize) {
  const InferenceGraph graph(network_, kBatch);
  ASSERT_EQ(graph.num_rounding_layers(), num_norms_);
  auto workspace = graph.NewWorkspace();
  const std::size_t outputs = NumScores(network_);
  for (const std::size_t batch : {std::size_t{1}, std::size_t{2}, kBatch}) {
    const ConstMatrixView inputs{x_.data(), batch, size_};
    std::vector<float> scores(batch * outputs);
    std::vector<Upper> norms(num_norms_ * batch);
    graph.Run(inputs, workspace, {scores.data(), batch, outputs}, norms);
    ExpectNormsOfTheInput(GetParam(), inputs, norms);
    for (std::size_t r = 0; r < batch; ++r) {
      ExpectWithinBound(GetParam(), inputs.row(r),
                        std::span<const float>(scores).subspan(r * outputs, outputs),
                        kUnitRoundoff32);
    }
  }
}

TEST_P(LayerEvaluationTest, Float64ErrsWithinTheBoundAndDoesNotDependOnTheBatch) {
  const Float64Network float64(network_, kBatch);
  ASSERT_EQ(float64.num_rounding_layers(), num_norms_);
  auto workspace = float64.NewWorkspace();
  const std::size_t outputs = NumScores(network_);
  const ConstMatrixView inputs{x_.data(), kBatch, size_};
  std::vector<double> together(kBatch * outputs);
  std::vector<Upper> norms(num_norms_ * kBatch);
  float64.Run(inputs, workspace, together, norms);
  ExpectNormsOfTheInput(GetParam(), inputs, norms);
  for (std::size_t r = 0; r < kBatch; ++r) {
    ExpectWithinBound(GetParam(), inputs.row(r),
                      std::span<const double>(together).subspan(r * outputs, outputs),
                      kUnitRoundoff64);
    std::vector<double> alone(outputs);
    float64.Run({inputs.row(r).data(), 1, size_}, workspace, alone,
                std::span<Upper>(norms).first(num_norms_));
    for (std::size_t k = 0; k < outputs; ++k) ASSERT_EQ(alone[k], together[r * outputs + k]);
  }
}

INSTANTIATE_TEST_SUITE_P(Layers, LayerEvaluationTest, ::testing::ValuesIn(LayerCases()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace lipserve
