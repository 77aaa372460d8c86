// SPDX-License-Identifier: Apache-2.0
// y = x - T^T max(T x + b, 0): what the format refuses, the constants, and the adjoint. What it
// computes is held against its definition in layer_evaluation_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "model/certificate/layer_bounds.h"
#include "model/certified_model.h"
#include "model/network/adjoint.h"
#include "model/network/layer_proto.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/quad_eigenvalue.h"

namespace lipserve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr WindowAxis kThree{.size = 3, .padding_before = 1, .padding_after = 1};

ConvolutionLayer SmallConvolution(std::mt19937_64& random, PaddingMode mode) {
  const WindowAxis uneven{.size = 2, .dilation = 2, .padding_before = 2, .padding_after = 0};
  return WithProvenNorm(RandomConvolution(random,
                                          {.input = {.channels = 4, .height = 3, .width = 4},
                                           .output_channels = 6,
                                           .groups = 2,
                                           .vertical = kThree,
                                           .horizontal = uneven,
                                           .padding_mode = mode},
                                          0.5));
}

TEST(ConvexPotentialTest, TheFormatRefusesInnerLayersThatDoNotFit) {
  std::mt19937_64 random(1);
  const SampleShape image{.channels = 4, .height = 3, .width = 4};
  const ConvolutionLayer good = SmallConvolution(random, PaddingMode::kCircular);
  EXPECT_EQ(LayerError(ConvexPotentialLayer{good}, image), "");
  ConvolutionLayer bad = good;
  bad.padding_mode = PaddingMode::kReflect;
  EXPECT_THAT(LayerError(ConvexPotentialLayer{bad}, image),
              HasSubstr("layer 0 (convex potential of convolution"));
  EXPECT_THAT(LayerError(ConvexPotentialLayer{bad}, image),
              HasSubstr("expected stride 1, zero or circular padding"));
  bad = good;
  bad.vertical.padding_before = 0;
  EXPECT_THAT(LayerError(ConvexPotentialLayer{bad}, image),
              HasSubstr("on as many positions as the image has"));
  bad = good;
  bad.vertical.stride = 2;
  EXPECT_THAT(LayerError(ConvexPotentialLayer{bad}, image), HasSubstr("expected stride 1"));
  bad = good;
  bad.weights.pop_back();
  EXPECT_THAT(LayerError(ConvexPotentialLayer{bad}, image),
              HasSubstr("weights: expected 72 numbers, got 71"));
  EXPECT_THAT(LayerError(ConvexPotentialLayer{RandomDense(random, 48, 3, 1.0)}, image),
              HasSubstr("dense: expected a vector as input, got [4, 3, 4]"));
  EXPECT_THAT(LayerError(ConvexPotentialLayer{RandomDense(random, 5, 3, 1.0)}, {6, 1, 1}),
              HasSubstr("inputs: expected 6"));
  EXPECT_EQ(LayerError(ConvexPotentialLayer{RandomDense(random, 6, 9, 1.0)}, {6, 1, 1}), "");
}

TEST(ConvexPotentialTest, TheFileKeepsBothInnerLayers) {
  std::mt19937_64 random(2);
  for (const ConvexPotentialLayer& layer :
       {ConvexPotentialLayer{SmallConvolution(random, PaddingMode::kZero)},
        ConvexPotentialLayer{RandomDense(random, 5, 7, 1.0)}}) {
    const v1::FrozenLayer proto = LayerToProto(layer);
    const auto read = LayerFromProto(proto);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(LayerToProto(*read).SerializeAsString(), proto.SerializeAsString());
  }
  v1::FrozenLayer neither;
  neither.mutable_convex_potential();
  EXPECT_THAT(std::string(LayerFromProto(neither).status().message()),
              HasSubstr("inner: expected dense or convolution, got neither"));
}

// <T x, r> = <x, T^T r>, in quadruple precision.
template <typename Layer>
void ExpectAdjoint(Layer layer, const SampleShape& input) {
  layer.bias.clear();
  const Layer adjoint = Adjoint(layer);
  std::mt19937_64 random(3);
  const auto random_quads = [&](std::size_t size) {
    const auto values = RandomFloats(random, size, 1.0);
    return std::vector<Quad>(values.begin(), values.end());
  };
  const std::vector<Quad> x = random_quads(input.size());
  const SampleShape hidden = OutputShape(layer, input);
  const std::vector<Quad> r = random_quads(hidden.size());
  ASSERT_EQ(OutputShape(adjoint, hidden), input);
  const std::vector<Quad> tx = QuadLayer{x, input}(layer);
  const std::vector<Quad> ttr = QuadLayer{r, hidden}(adjoint);
  Quad left = 0;
  Quad right = 0;
  for (std::size_t k = 0; k < r.size(); ++k) left += tx[k] * r[k];
  for (std::size_t k = 0; k < x.size(); ++k) right += x[k] * ttr[k];
  EXPECT_NEAR(static_cast<double>(left), static_cast<double>(right), 1e-12);
}

TEST(ConvexPotentialTest, TheAdjointIsTheTransposedMatrix) {
  std::mt19937_64 random(4);
  ExpectAdjoint(RandomDense(random, 5, 8, 1.0), {5, 1, 1});
  for (const PaddingMode mode : {PaddingMode::kZero, PaddingMode::kCircular}) {
    ExpectAdjoint(SmallConvolution(random, mode), {4, 3, 4});
  }
}

TEST(ConvexPotentialTest, SumsOfLinearLayersDefineIt) {
  // T x + b = x_0 - 2 and x_1 at (5, -1): 3 and -1, so y = x - (3, 0).
  const ConvexPotentialLayer layer{DenseLayer{.inputs = 2,
                                              .outputs = 2,
                                              .weights = {1.0F, 0.0F, 0.0F, 1.0F},
                                              .bias = {-2.0F, 0.0F},
                                              .claimed_operator_norm_bound = 1.0}};
  const std::vector<double> x = {5.0, -1.0};
  EXPECT_THAT((LayerDefinition<double>{x, {2, 1, 1}}(layer)), ElementsAre(2.0, -1.0));
}

TEST(ConvexPotentialTest, BoundsCoverTheNormsOfTheMatrices) {
  std::mt19937_64 random(5);
  const DenseLayer inner = RandomDense(random, 6, 9, 0.7);
  const LayerBounds bounds = BoundsOf(ConvexPotentialLayer{inner}, {6, 1, 1});
  const auto norm = static_cast<double>(QuadOperatorNorm({inner.weights.data(), 9, 6}));
  EXPECT_GE(bounds.operator_norm.value(), norm * norm - 1.0);
  EXPECT_LE(bounds.operator_norm.value(), (norm * norm - 1.0) * (1.0 + 1e-8));
  EXPECT_EQ(bounds.fan_in, 6U + 9U + 2U);
  EXPECT_EQ(bounds.outputs, 6U);
  DenseLayer absolute = inner;
  for (float& w : absolute.weights) w = std::fabs(w);
  const auto magnitude = static_cast<double>(QuadOperatorNorm({absolute.weights.data(), 9, 6}));
  EXPECT_GE(bounds.absolute_norm.value(), 1.0 + magnitude * magnitude);
  EXPECT_LE(bounds.absolute_norm.value(), 1.2 * (1.0 + magnitude * magnitude));

  FrozenLayer claimed = ConvexPotentialLayer{inner};
  auto& claim = std::get<DenseLayer>(std::get<ConvexPotentialLayer>(claimed).inner);
  claim.claimed_operator_norm_bound = 0.0;
  EXPECT_FALSE(CheckClaim(claimed).ok());
  ASSERT_TRUE(ClaimOperatorNorm(claimed).ok());
  EXPECT_TRUE(CheckClaim(claimed).ok());
  claim.claimed_operator_norm_bound *= 1.0 - 1e-9;
  EXPECT_FALSE(CheckClaim(claimed).ok());
}

TEST(ConvexPotentialTest, ANormOfAtMostTheRootOfTwoIsOneLipschitz) {
  std::mt19937_64 random(6);
  DenseLayer inner = RandomDense(random, 4, 4, 1.0);
  const double scale = 1.414 / inner.claimed_operator_norm_bound;
  for (float& w : inner.weights) w = static_cast<float>(scale * static_cast<double>(w));
  FrozenLayer layer = ConvexPotentialLayer{inner};
  ASSERT_TRUE(ClaimOperatorNorm(layer).ok());
  EXPECT_EQ(BoundsOf(layer, {4, 1, 1}).operator_norm.value(), 1.0);
}

// x_0 - 4 max(x_0, 0) + 6 is 0 at x_0 = 2, one away from 1; 1-Lipschitz would say 3.
TEST(ConvexPotentialTest, TheRadiusOfAStepThatIsTooLongEndsBeforeTheBoundary) {
  FrozenNetwork network{
      .input_shape = {.channels = 2, .height = 1, .width = 1},
      .layers = {ConvexPotentialLayer{DenseLayer{.inputs = 2,
                                                 .outputs = 1,
                                                 .weights = {2.0F, 0.0F},
                                                 .bias = {},
                                                 .claimed_operator_norm_bound = 2.0 + 1e-9}}}};
  network.layers.emplace_back(DenseLayer{.inputs = 2,
                                         .outputs = 1,
                                         .weights = {1.0F, 0.0F},
                                         .bias = {6.0F},
                                         .claimed_operator_norm_bound = 1.0 + 1e-9});
  const auto model = CertifiedModel::Create(ModelOf(std::move(network)), 1);
  ASSERT_TRUE(model.ok()) << model.status();
  const std::vector<float> x = {1.0F, 0.0F};
  std::vector<Answer> answers(1);
  (*model)->Classify({x.data(), 1, 2}, *(*model)->NewWorker(), answers);
  EXPECT_LE(answers[0].radius_l2, 1.0);
  EXPECT_GT(answers[0].radius_l2, 1.0 - 1e-7);
}

TEST(ConvexPotentialTest, AFalseClaimIsRefusedNamingTheLayer) {
  FrozenNetwork network = RandomPotentialNetwork(7, 3);
  for (const std::size_t index : {3U, 4U, 9U, 10U}) {
    FrozenNetwork changed = network;
    std::visit([](auto& inner) { inner.claimed_operator_norm_bound *= 0.999; },
               std::get<ConvexPotentialLayer>(changed.layers[index]).inner);
    const auto model = CertifiedModel::Create(ModelOf(std::move(changed)), 1);
    EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(model.status().message()),
                HasSubstr("layer " + std::to_string(index) + " (convex potential of "));
  }
}

}  // namespace
}  // namespace lipserve
