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
#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

struct LayerCase {
  std::string name;
  SampleShape input;
  FrozenLayer layer;
};

WindowAxis Axis(std::size_t size, std::size_t stride, std::size_t dilation, std::size_t before,
                std::size_t after) {
  return {.size = size,
          .stride = stride,
          .dilation = dilation,
          .padding_before = before,
          .padding_after = after};
}

LayerCase Convolution(const std::string& name, const SampleShape& input, std::size_t outputs,
                      std::size_t groups, const WindowAxis& vertical, const WindowAxis& horizontal,
                      PaddingMode mode) {
  std::mt19937_64 random(name.size());
  return {name, input,
          RandomConvolution(random,
                            {.input = input,
                             .output_channels = outputs,
                             .groups = groups,
                             .vertical = vertical,
                             .horizontal = horizontal,
                             .padding_mode = mode},
                            1.0)};
}

LayerCase Potential(const std::string& name, const SampleShape& input, std::size_t outputs,
                    std::size_t groups, const WindowAxis& axis, PaddingMode mode) {
  LayerCase test = Convolution(name, input, outputs, groups, axis, axis, mode);
  test.layer = ConvexPotentialLayer{std::get<ConvolutionLayer>(test.layer)};
  return test;
}

// A convolution that CheckNetwork accepts, of random geometry.
LayerCase RandomCase(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto pick = [&](std::size_t least, std::size_t most) {
    return least + random() % (most - least + 1);
  };
  while (true) {
    const std::size_t groups = pick(1, 3);
    const SampleShape input{groups * pick(1, 4), pick(1, 9), pick(1, 9)};
    const auto axis = [&] {
      return Axis(pick(1, 5), pick(1, 3), pick(1, 2), pick(0, 4), pick(0, 4));
    };
    LayerCase result = Convolution("random" + std::to_string(seed), input, groups * pick(1, 12),
                                   groups, axis(), axis(), static_cast<PaddingMode>(pick(0, 3)));
    const auto& layer = std::get<ConvolutionLayer>(result.layer);
    if (IsValidPadding(layer.vertical, layer.padding_mode, input.height) &&
        IsValidPadding(layer.horizontal, layer.padding_mode, input.width) &&
        layer.output().size() != 0 && layer.output().size() <= 500) {
      return result;
    }
  }
}

std::vector<LayerCase> LayerCases() {
  const WindowAxis three = Axis(3, 1, 1, 1, 1);
  std::vector<LayerCase> cases = {
      Convolution("first", {1, 7, 7}, 16, 1, three, three, PaddingMode::kZero),
      Convolution("stride2", {16, 8, 8}, 32, 1, Axis(3, 2, 1, 1, 0), Axis(3, 2, 1, 1, 0),
                  PaddingMode::kZero),
      Convolution("stride3", {4, 9, 10}, 6, 1, Axis(2, 3, 1, 0, 0), Axis(4, 3, 1, 1, 1),
                  PaddingMode::kReflect),
      Convolution("dilation2", {8, 7, 7}, 8, 1, Axis(3, 1, 2, 2, 2), Axis(3, 1, 2, 2, 2),
                  PaddingMode::kCircular),
      Convolution("groups2", {8, 5, 5}, 12, 2, three, three, PaddingMode::kReplicate),
      Convolution("depthwise", {16, 5, 5}, 16, 16, three, three, PaddingMode::kZero),
      Convolution("pointwise", {24, 4, 4}, 40, 1, Axis(1, 1, 1, 0, 0), Axis(1, 1, 1, 0, 0),
                  PaddingMode::kZero),
      Convolution("kernelOfTheImage", {3, 6, 6}, 10, 1, Axis(6, 1, 1, 0, 0), Axis(6, 1, 1, 0, 0),
                  PaddingMode::kZero),
      Convolution("kernelBeyondTheImage", {2, 3, 4}, 5, 1, Axis(7, 1, 1, 4, 4), Axis(5, 1, 1, 6, 6),
                  PaddingMode::kZero),
      Convolution("circularOfTheImage", {2, 4, 4}, 4, 1, Axis(5, 1, 1, 4, 4), Axis(5, 1, 1, 4, 4),
                  PaddingMode::kCircular),
      {"dense",
       {5, 4, 3},
       [] {
         std::mt19937_64 random(1);
         return RandomDense(random, 60, 33, 1.0);
       }()},
      {"averagePool",
       {5, 6, 6},
       AveragePoolLayer{.window_height = 2, .window_width = 3, .scale = 0.3F}},
      {"averagePoolOfAll",
       {40, 4, 6},
       AveragePoolLayer{.window_height = 4, .window_width = 6, .scale = 0.2F}},
      {"l2NormPool", {5, 6, 6}, L2NormPoolLayer{.window_height = 3, .window_width = 2}},
      {"l2NormPoolOfOne", {33, 2, 2}, L2NormPoolLayer{.window_height = 1, .window_width = 1}},
      {"groupSort2", {6, 4, 5}, GroupSortLayer{.group_size = 2}},
      {"groupSort3", {6, 4, 5}, GroupSortLayer{.group_size = 3}},
      {"fullSort", {8, 3, 3}, GroupSortLayer{.group_size = 8}},
      Potential("potential", {6, 5, 4}, 10, 2, three, PaddingMode::kZero),
      Potential("potentialOfACircle", {3, 4, 5}, 7, 1, Axis(3, 1, 2, 1, 3), PaddingMode::kCircular),
      Potential("potentialOfOneTap", {8, 3, 3}, 5, 1, Axis(1, 1, 1, 0, 0), PaddingMode::kZero),
      {"potentialOfAVector",
       {23, 1, 1},
       [] {
         std::mt19937_64 random(2);
         return ConvexPotentialLayer{RandomDense(random, 23, 40, 1.0)};
       }()},
      {"upSampling", {12, 3, 4}, UpSamplingLayer{.window_height = 3, .window_width = 2}},
      {"upSamplingOfAVector", {6, 1, 1}, UpSamplingLayer{.window_height = 2, .window_width = 3}},
      {"abs", {5, 3, 4}, AbsLayer{}},
      {"maxMin", {6, 3, 4}, MaxMinLayer{}},
      {"maxMinOfAVector", {34, 1, 1}, MaxMinLayer{}},
      {"concatenatedRelu", {5, 3, 4}, ConcatenatedReluLayer{}},
      {"prelu", {5, 3, 4}, PReluLayer{{0.3F, -0.7F, 1.0F, 0.0F, -2.5F}}},
      {"preluOfAVector", {3, 1, 1}, PReluLayer{{0.3F, 0.1F, -1.0F}}},
      {"householder", {6, 3, 4}, HouseholderLayer{{1.3F, 0.4F, -0.9F, 1.1F, 0.2F, 3.0F}}},
      {"permutation",
       {2, 3, 4},
       [] {
         PermutationLayer layer{.output = {.channels = 5, .height = 2, .width = 2}};
         for (std::uint32_t k = 0; k < 20; ++k) layer.sources.push_back((k * 7 + 2) % 24);
         return layer;
       }()},
      {"sumOfAValueWithItself", {5, 3, 4}, SumLayer{.other = 0}},
      {"clip", {5, 3, 4}, ClipLayer{.low = -0.5F, .high = 0.25F}},
      {"clipAboveZero", {3, 1, 1}, ClipLayer{.low = 0.5F, .high = 0.5F}},
      {"maxPool",
       {5, 6, 6},
       MaxPoolLayer{.vertical = Axis(2, 2, 1, 0, 0), .horizontal = Axis(3, 3, 1, 0, 0)}},
      {"maxPoolThatSkips",
       {2, 7, 8},
       MaxPoolLayer{.vertical = Axis(2, 3, 1, 0, 0), .horizontal = Axis(1, 2, 1, 0, 0)}},
      {"maxPoolThatOverlaps",
       {3, 7, 6},
       MaxPoolLayer{.vertical = Axis(3, 2, 1, 1, 1), .horizontal = Axis(3, 1, 1, 2, 0)}},
      {"householderOfAVector", {2, 1, 1}, HouseholderLayer{{-1.0F, 1.0F}}},
  };
  for (std::uint64_t seed = 1; seed <= 30; ++seed) cases.push_back(RandomCase(seed));
  return cases;
}

// The layer, and an identity matrix that hands on what it computes: products with 1 and 0, and sums
// with 0, are exact.
FrozenNetwork NetworkOf(const LayerCase& test) {
  FrozenNetwork network;
  network.input_shape = test.input;
  network.layers.push_back(test.layer);
  network.layers.emplace_back(FlattenLayer{});
  const std::size_t size = OutputShape(test.layer, test.input).size();
  DenseLayer identity{.inputs = size,
                      .outputs = size,
                      .weights = std::vector<float>(size * size),
                      .bias = {},
                      .claimed_operator_norm_bound = 1.0};
  for (std::size_t i = 0; i < size; ++i) identity.weights[i * size + i] = 1.0F;
  network.layers.emplace_back(std::move(identity));
  EXPECT_TRUE(CheckNetwork(network).ok()) << CheckNetwork(network);
  return network;
}

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
