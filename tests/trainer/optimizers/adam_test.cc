// SPDX-License-Identifier: Apache-2.0
#include "trainer/optimizers/adam.h"

#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/matrices.h"
#include "trainer/optimizers/make_optimizer.h"

namespace lipserve::trainer {
namespace {

v1::OptimizerSpec AdamSpecWith(const std::function<void(v1::AdamSpec&)>& change) {
  v1::OptimizerSpec spec;
  spec.mutable_adam()->set_learning_rate(0.01);
  change(*spec.mutable_adam());
  return spec;
}

std::unique_ptr<Optimizer> Make(const v1::OptimizerSpec& spec, Parameter& parameter) {
  auto optimizer = MakeOptimizer(spec, {&parameter}, {"layer1.kernel"});
  EXPECT_TRUE(optimizer.ok()) << optimizer.status();
  return *std::move(optimizer);
}

TEST(AdamTest, FollowsTheFormulaInFloat64OverManySteps) {
  std::mt19937_64 random(37);
  const std::size_t n = 21;
  Parameter parameter{"kernel", RandomNumbers(n, random), std::vector<float>(n)};
  const auto adam = Make(AdamSpecWith([](v1::AdamSpec& spec) {
                           spec.set_beta1(0.8);
                           spec.set_beta2(0.99);
                           spec.set_epsilon(1e-5);
                         }),
                         parameter);
  std::vector<double> p(parameter.values.begin(), parameter.values.end());
  std::vector<double> m(n, 0.0);
  std::vector<double> v(n, 0.0);
  for (int t = 1; t <= 50; ++t) {
    parameter.gradient = RandomNumbers(n, random);
    const double rate = 0.01 * std::sqrt(1.0 - std::pow(0.99, t)) / (1.0 - std::pow(0.8, t));
    for (std::size_t i = 0; i < n; ++i) {
      const double g = static_cast<double>(parameter.gradient[i]);
      m[i] = 0.8 * m[i] + 0.2 * g;
      v[i] = 0.99 * v[i] + 0.01 * g * g;
      p[i] -= rate * m[i] / (std::sqrt(v[i]) + 1e-5);
    }
    adam->Step();
    EXPECT_EQ(adam->steps, t);
  }
  for (std::size_t i = 0; i < n; ++i) {
    // 50 steps, each rounded a few times in float32, of numbers near 1.
    EXPECT_NEAR(static_cast<double>(parameter.values[i]), p[i], 50 * 8 * 0x1p-24);
    EXPECT_NEAR(static_cast<double>(adam->states()[0]->values[i]), m[i], 50 * 4 * 0x1p-24);
    EXPECT_NEAR(static_cast<double>(adam->states()[1]->values[i]), v[i], 50 * 4 * 0x1p-24);
  }
}

TEST(AdamTest, FirstStepHasTheSizeOfTheLearningRateWhateverTheGradient) {
  for (const float gradient : {1e-3F, 1.0F, -1e3F}) {
    Parameter parameter{"kernel", {0.0F}, {gradient}};
    Make(AdamSpecWith([](v1::AdamSpec&) {}), parameter)->Step();
    // Epsilon 1e-7 against sqrt(v) = |g| sqrt(1e-3) >= 3e-5.
    EXPECT_NEAR(static_cast<double>(parameter.values[0]),
                std::copysign(0.01, -static_cast<double>(gradient)), 5e-5);
  }
}

TEST(AdamTest, ZeroFieldsTakeTheDefaultsOfKeras) {
  Parameter parameter{"kernel", {0.0F}, {0.0F}};
  EXPECT_EQ(Make(AdamSpecWith([](v1::AdamSpec&) {}), parameter)->description(),
            "Adam(learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-07)");
}

TEST(AdamTest, ZeroGradientsNeverMoveAParameterOrDivideByZero) {
  Parameter parameter{"kernel", {1.5F}, {0.0F}};
  const auto adam = Make(AdamSpecWith([](v1::AdamSpec&) {}), parameter);
  for (int i = 0; i < 3; ++i) adam->Step();
  EXPECT_EQ(parameter.values[0], 1.5F);
}

TEST(AdamTest, StatesAreNamedAfterTheirParameterAndUnique) {
  Parameter a{"kernel", {1.0F, 2.0F}, {0.0F, 0.0F}};
  Parameter b{"bias", {1.0F}, {0.0F}};
  const auto adam =
      MakeOptimizer(AdamSpecWith([](v1::AdamSpec&) {}), {&a, &b}, {"layer1.kernel", "layer1.bias"});
  ASSERT_TRUE(adam.ok());
  std::vector<std::string> names;
  for (const State* state : (*adam)->states()) names.push_back(state->name);
  EXPECT_THAT(names, testing::ElementsAre(
                         "adam.layer1.kernel.first_moment", "adam.layer1.bias.first_moment",
                         "adam.layer1.kernel.second_moment", "adam.layer1.bias.second_moment"));
  EXPECT_EQ((*adam)->states()[0]->values.size(), 2U);
  EXPECT_EQ((*adam)->states()[3]->values.size(), 1U);
}

}  // namespace
}  // namespace lipserve::trainer
