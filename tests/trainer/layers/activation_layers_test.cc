// SPDX-License-Identifier: Apache-2.0
// The activations beside group_sort: values by their formulas, gradients, constants, frozen forms.
#include <cmath>
#include <memory>
#include <numbers>
#include <random>
#include <utility>
#include <variant>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/certificate/layer_bounds.h"
#include "tests/trainer/image_check.h"
#include "trainer/layers/exact_activations.h"
#include "trainer/layers/householder.h"
#include "trainer/layers/prelu.h"
#include "trainer/layers/soft_huber.h"

namespace lipserve::trainer {
namespace {

using ::testing::ElementsAre;

constexpr SampleShape kActivationImage{.channels = 4, .height = 2, .width = 3};
constexpr SampleShape kActivationVector{.channels = 8, .height = 1, .width = 1};

// Numbers whose magnitudes, and those of the differences of any two, are 0.1 or more: no step of
// the gradient check reaches a kink of Abs, MaxMin, ConcatenatedReLU or PReLU.
std::vector<float> NumbersAwayFromKinks(std::size_t count, std::mt19937_64& random) {
  std::vector<float> numbers(count);
  for (std::size_t i = 0; i < count; ++i) {
    numbers[i] = 0.1F * (static_cast<float>(i) - static_cast<float>(count / 2) + 0.5F);
    numbers[i] += std::copysign(0.05F, numbers[i]);
  }
  for (std::size_t i = count; i > 1; --i) std::swap(numbers[i - 1], numbers[random() % i]);
  return numbers;
}

// Pairs (x_c, x_(c + C/2)) of length 1 to 3, at 0.3 radians or more from the lines at these angles.
std::vector<float> PairsAwayFrom(const std::vector<float>& angles, const SampleShape& shape,
                                 std::size_t batch, std::mt19937_64& random) {
  const std::size_t half = shape.channels / 2;
  std::vector<float> x(batch * shape.size());
  for (std::size_t first = 0; first < x.size(); first += shape.channels) {
    for (std::size_t c = 0; c < half; ++c) {
      // The line about which the pair is reflected has the direction theta / 2.
      const float away = 0.3F + 0.1F * static_cast<float>(random() % 25);
      const float angle = 0.5F * angles[c] + (random() % 2 == 0 ? away : -away);
      const float length = 1.0F + 0.1F * static_cast<float>(random() % 20);
      x[first + c] = length * std::cos(angle);
      x[first + half + c] = length * std::sin(angle);
    }
  }
  return x;
}

std::vector<float> ForwardOf(Layer& layer, const std::vector<float>& x) {
  std::vector<float> y(layer.output_shape().size());
  layer.PrepareStep(true);
  layer.Forward({x.data(), 1, x.size()}, {y.data(), 1, y.size()});
  return y;
}

std::vector<float> BackwardOf(Layer& layer, const std::vector<float>& x,
                              const std::vector<float>& dy) {
  const std::vector<float> y = ForwardOf(layer, x);
  std::vector<float> dx(x.size());
  layer.Backward({x.data(), 1, x.size()}, {y.data(), 1, y.size()}, {dy.data(), 1, dy.size()},
                 {dx.data(), 1, dx.size()});
  layer.FinishStep();
  return dx;
}

std::vector<std::unique_ptr<Layer>> AllOn(const SampleShape& shape) {
  std::vector<std::unique_ptr<Layer>> layers;
  layers.push_back(std::make_unique<Abs>(shape));
  layers.push_back(std::make_unique<MaxMin>(shape));
  layers.push_back(std::make_unique<ConcatenatedRelu>(shape));
  layers.push_back(std::make_unique<PRelu>(shape, false, 0.25F));
  layers.push_back(std::make_unique<PRelu>(shape, true, -0.9F));
  layers.push_back(std::make_unique<Householder>(shape, 1.0F));
  layers.push_back(std::make_unique<SoftHuber>(shape, 0.3F));
  return layers;
}

TEST(ActivationLayersTest, GradientsMatchDifferencesOnVectorsAndImages) {
  std::mt19937_64 random(3);
  for (const SampleShape& shape : {kActivationVector, kActivationImage}) {
    for (const auto& layer : AllOn(shape)) {
      SCOPED_TRACE(layer->type());
      const std::size_t half = shape.channels / 2;
      ExpectGradientsMatchDifferences(
          *layer,
          layer->type() == "Householder"
              ? PairsAwayFrom(std::vector<float>(half, 1.0F), shape, 3, random)
              : NumbersAwayFromKinks(3 * shape.size(), random),
          3, random);
    }
  }
}

TEST(ActivationLayersTest, GradientsMatchDifferencesAtOtherAngles) {
  std::mt19937_64 random(4);
  Householder layer(kActivationImage, 0.0F);
  layer.parameters()[0].values = {-2.0F, 5.5F};
  ExpectGradientsMatchDifferences(
      layer, PairsAwayFrom(layer.parameters()[0].values, kActivationImage, 3, random), 3, random);
}

TEST(ActivationLayersTest, NeverStretchAndFreezeToWhatTheyCompute) {
  std::mt19937_64 random(5);
  for (const SampleShape& shape : {kActivationVector, kActivationImage}) {
    for (const auto& layer : AllOn(shape)) {
      SCOPED_TRACE(layer->type());
      EXPECT_LE(LargestStretch(*layer, shape.size(), random), 1.0 + kStretchRounding);
      ExpectFreezesToWhatItComputes(*layer, shape, 1e-6, random);
    }
  }
}

TEST(ActivationLayersTest, TakeAndGiveTheDocumentedValues) {
  Abs abs({3, 1, 1});
  EXPECT_THAT(ForwardOf(abs, {1, -2, 0}), ElementsAre(1, 2, 0));
  EXPECT_THAT(BackwardOf(abs, {1, -2, 0}, {5, 6, 7}), ElementsAre(5, -6, 0));
  MaxMin max_min({4, 1, 1});
  EXPECT_THAT(ForwardOf(max_min, {1, 7, 3, -2}), ElementsAre(3, 7, 1, -2));
  EXPECT_THAT(BackwardOf(max_min, {1, 7, 3, -2}, {5, 6, 7, 8}), ElementsAre(7, 6, 5, 8));
  ConcatenatedRelu relu({3, 1, 1});
  EXPECT_THAT(ForwardOf(relu, {1, -2, 0}), ElementsAre(1, 0, 0, 0, 2, 0));
  EXPECT_THAT(BackwardOf(relu, {1, -2, 0}, {1, 2, 3, 4, 5, 6}), ElementsAre(1, -5, 0));
}

TEST(ActivationLayersTest, AbsAndMaxMinKeepTheGradientsNorm) {
  std::mt19937_64 random(6);
  const std::vector<float> x = NumbersAwayFromKinks(8, random);
  const std::vector<float> dy = {1, 2, 3, 4, 5, 6, 7, 8};
  Abs abs(kActivationVector);
  MaxMin max_min(kActivationVector);
  Householder householder(kActivationVector, 0.7F);
  for (Layer* const layer : {static_cast<Layer*>(&abs), static_cast<Layer*>(&max_min),
                             static_cast<Layer*>(&householder)}) {
    double squares = 0.0;
    for (const float value : BackwardOf(*layer, x, dy)) squares += std::pow(value, 2.0);
    EXPECT_NEAR(squares, 204.0, 1e-4) << layer->type();
  }
}

// The formula of the paper and of deel-lip.
TEST(ActivationLayersTest, HouseholderReflectsAboutTheLineAtHalfTheAngle) {
  std::mt19937_64 random(7);
  for (const double theta : {0.3, std::numbers::pi / 2.0, 3.0, -1.0}) {
    Householder layer({2, 1, 1}, static_cast<float>(theta));
    for (int trial = 0; trial < 50; ++trial) {
      const std::vector<float> z = RandomNumbers(2, random);
      const double x = static_cast<double>(z[0]);
      const double y = static_cast<double>(z[1]);
      const bool reflects = x * std::sin(theta / 2.0) - y * std::cos(theta / 2.0) > 0.0;
      const std::vector<float> got = ForwardOf(layer, z);
      EXPECT_NEAR(got[0], reflects ? x * std::cos(theta) + y * std::sin(theta) : x, 1e-5);
      EXPECT_NEAR(got[1], reflects ? x * std::sin(theta) - y * std::cos(theta) : y, 1e-5);
    }
  }
}

// orthogonium's HouseHolder_Order_2, without its 1 / sqrt(2).
std::pair<double, double> OfOrderTwo(double x, double y, double theta0, double theta1,
                                     double theta2) {
  const double turn = 2.0 * std::numbers::pi;
  const double z = std::fmod(std::atan2(y, x) - 0.5 * theta0 + 2.0 * turn, turn);
  const auto reflected = [&](double theta) {
    return std::pair(x * std::cos(theta) + y * std::sin(theta),
                     x * std::sin(theta) - y * std::cos(theta));
  };
  if (z < 0.5 * theta1) return {x, y};
  if (z < 0.5 * (theta1 + theta2)) return reflected(theta0 + theta1);
  if (z >= 0.5 * (theta2 + turn)) return reflected(theta0);
  return {x * std::cos(theta2) + y * std::sin(theta2), y * std::cos(theta2) - x * std::sin(theta2)};
}

TEST(ActivationLayersTest, TwoHouseholdersAreOneOfOrderTwoWhoseAnglesMakeAFullTurn) {
  std::mt19937_64 random(8);
  const double turn = 2.0 * std::numbers::pi;
  for (const auto& [theta0, theta1] : {std::pair{0.4, 1.1}, {2.0, 0.3}, {3.0, 2.5}}) {
    Householder first({2, 1, 1}, static_cast<float>(theta0));
    Householder second({2, 1, 1}, static_cast<float>(theta0 + theta1 - turn));
    for (int trial = 0; trial < 100; ++trial) {
      const std::vector<float> z = RandomNumbers(2, random);
      const auto [a, b] = OfOrderTwo(static_cast<double>(z[0]), static_cast<double>(z[1]), theta0,
                                     theta1, turn - theta1);
      const std::vector<float> got = ForwardOf(second, ForwardOf(first, z));
      EXPECT_NEAR(got[0], a, 1e-5);
      EXPECT_NEAR(got[1], b, 1e-5);
    }
  }
}

TEST(ActivationLayersTest, SoftHuberIsOrthogoniumsAndIsProvenOneLipschitz) {
  SoftHuber layer({3, 1, 1}, 0.05F);
  const std::vector<float> y = ForwardOf(layer, {0.0F, 0.02F, -3.0F});
  EXPECT_NEAR(y[0], 0.0, 1e-8);
  EXPECT_NEAR(y[1], 0.05 * (std::sqrt(1.0 + 0.4 * 0.4) - 1.0), 1e-8);
  EXPECT_NEAR(y[2], 0.05 * (std::sqrt(1.0 + 60.0 * 60.0) - 1.0), 1e-6);
  double constant = 1.0;
  SampleShape shape = layer.output_shape();
  for (FrozenLayer& frozen : layer.FreezeToChain()) {
    ASSERT_TRUE(ClaimOperatorNorm(frozen).ok());
    if (!OnlyMovesNumbers(frozen)) constant *= BoundsOf(frozen, shape).operator_norm.value();
    shape = OutputShape(frozen, shape);
  }
  EXPECT_LE(constant, 1.0 + 1e-9);
}

TEST(ActivationLayersTest, AFrozenHouseholderIsNeverLongerThanAReflection) {
  Householder layer({200, 1, 1}, 0.0F);
  for (std::size_t c = 0; c < 100; ++c) {
    layer.parameters()[0].values[c] = 0.1F * static_cast<float>(c) - 3.0F;
  }
  layer.parameters()[0].values[0] = static_cast<float>(std::numbers::pi);
  const auto frozen = std::get<HouseholderLayer>(layer.Freeze());
  ASSERT_EQ(frozen.directions.size(), 200U);
  for (std::size_t c = 0; c < 200; c += 2) {
    const auto v0 = static_cast<double>(frozen.directions[c]);
    const auto v1 = static_cast<double>(frozen.directions[c + 1]);
    EXPECT_LE(v0 * v0 + v1 * v1, 2.0);
    EXPECT_GE(v0 * v0 + v1 * v1, 2.0 - 1e-6);
  }
}

TEST(ActivationLayersTest, ASlopeBeyondOneActsAsOneAndIsLedBack) {
  PRelu layer({2, 1, 1}, false, 0.25F);
  layer.parameters()[0].values = {3.0F, -3.0F};
  EXPECT_THAT(ForwardOf(layer, {-1, -1}), ElementsAre(-1, 1));
  EXPECT_THAT(std::get<PReluLayer>(layer.Freeze()).slopes, ElementsAre(1, -1));
  // d slope = x dy. A gradient above 0 takes the slope down: back for the first, out for the
  // second.
  BackwardOf(layer, {-2, -2}, {-1, -1});
  EXPECT_THAT(layer.parameters()[0].gradient, ElementsAre(2, 0));
  BackwardOf(layer, {-2, -2}, {1, 1});
  EXPECT_THAT(layer.parameters()[0].gradient, ElementsAre(0, -2));
}

TEST(ActivationLayersTest, ASharedSlopeHasTheGradientOfAllChannels) {
  PRelu layer({3, 1, 1}, true, 0.5F);
  EXPECT_EQ(layer.parameters()[0].values.size(), 1U);
  BackwardOf(layer, {-1, 2, -3}, {1, 1, 1});
  EXPECT_THAT(layer.parameters()[0].gradient, ElementsAre(-4));
  EXPECT_THAT(std::get<PReluLayer>(layer.Freeze()).slopes, ElementsAre(0.5F, 0.5F, 0.5F));
}

// The same numbers at each of 2^20 positions: adding them up in float32 alone rounds them to a unit
// of the sum so far, 2^-5 at its end, again and again the same way.
TEST(ActivationLayersTest, GradientsOfParametersAreSumsInFloat64) {
  constexpr std::size_t kPositions = std::size_t{1} << 20U;
  const SampleShape shape{2, 1, 1};
  std::vector<float> x(2 * kPositions);
  std::vector<float> dy(2 * kPositions);
  for (std::size_t p = 0; p < kPositions; ++p) {
    x[2 * p] = -0.3F;
    x[2 * p + 1] = -0.7F;
    dy[2 * p] = 1.1F;
    dy[2 * p + 1] = 0.9F;
  }
  std::vector<float> y(x.size());
  const auto mean_gradient = [&](Layer& layer, std::size_t i) {
    layer.PrepareStep(true);
    layer.Forward({x.data(), kPositions, 2}, {y.data(), kPositions, 2});
    layer.Backward({x.data(), kPositions, 2}, {y.data(), kPositions, 2}, {dy.data(), kPositions, 2},
                   {nullptr, kPositions, 2});
    layer.FinishStep();
    return static_cast<double>(layer.parameters()[0].gradient[i]) / static_cast<double>(kPositions);
  };
  // Of the sums; the inputs, their product and the result round to float32, too.
  constexpr double kRounding = 0x1p-20 + 4.0 * 0x1p-24;
  PRelu prelu(shape, /*shared=*/false, 0.25F);
  EXPECT_NEAR(mean_gradient(prelu, 0), -0.33, 0.33 * kRounding);
  EXPECT_NEAR(mean_gradient(prelu, 1), -0.63, 0.63 * kRounding);
  // y = (x cos + x' sin, x sin - x' cos) of the angle, beyond the line.
  Householder householder(shape, 2.0F);
  ASSERT_GT(-0.3 * std::sin(1.0) + 0.7 * std::cos(1.0), 0.0);
  const double expected = 1.1 * (0.3 * std::sin(2.0) - 0.7 * std::cos(2.0)) +
                          0.9 * (-0.3 * std::cos(2.0) - 0.7 * std::sin(2.0));
  // The two numbers added are below 2 and made by five operations each.
  EXPECT_NEAR(mean_gradient(householder, 0), expected, 4.0 * (kRounding + 5.0 * 0x1p-24));
}

}  // namespace
}  // namespace lipserve::trainer
