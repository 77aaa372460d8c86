// SPDX-License-Identifier: Apache-2.0
// Nadam, SGD, clipping and Lookahead against their formulas in float64.
#include <cmath>
#include <cstddef>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/trainer/matrices.h"
#include "trainer/optimizers/gradient_clipping.h"
#include "trainer/optimizers/make_optimizer.h"

namespace lipserve::trainer {
namespace {

using testing::ElementsAre;

constexpr int kSteps = 50;
// kSteps steps, each rounded a few times in float32, of numbers near 1.
constexpr double kTolerance = kSteps * 8 * 0x1p-24;

std::unique_ptr<Optimizer> Make(const std::string& text, Parameter& parameter) {
  v1::OptimizerSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  auto optimizer = MakeOptimizer(spec, {&parameter}, {"layer1.kernel"});
  EXPECT_TRUE(optimizer.ok()) << optimizer.status();
  return *std::move(optimizer);
}

// Runs an optimiser beside a float64 reference, which is given step number, gradient and the
// parameters to change, on random gradients.
void ExpectTrajectory(
    const std::string& text,
    const std::function<void(int, const std::vector<double>&, std::vector<double>&)>& reference) {
  std::mt19937_64 random(41);
  constexpr std::size_t kSize = 21;
  Parameter parameter{"kernel", RandomNumbers(kSize, random), std::vector<float>(kSize)};
  const auto optimizer = Make(text, parameter);
  std::vector<double> expected(parameter.values.begin(), parameter.values.end());
  for (int t = 1; t <= kSteps; ++t) {
    parameter.gradient = RandomNumbers(kSize, random);
    reference(t, {parameter.gradient.begin(), parameter.gradient.end()}, expected);
    optimizer->Step();
  }
  for (std::size_t i = 0; i < kSize; ++i) {
    EXPECT_NEAR(static_cast<double>(parameter.values[i]), expected[i], kTolerance) << i;
  }
}

TEST(NadamTest, FollowsTheFormulaInFloat64OverManySteps) {
  std::vector<double> m(21, 0.0);
  std::vector<double> v(21, 0.0);
  double product = 1.0;
  const auto momentum = [](int t) { return 0.8 * (1.0 - 0.5 * std::pow(0.96, 0.004 * t)); };
  ExpectTrajectory(
      "nadam { learning_rate: 0.01 beta1: 0.8 beta2: 0.99 epsilon: 1e-5 }",
      [&](int t, const std::vector<double>& g, std::vector<double>& p) {
        product *= momentum(t);
        for (std::size_t i = 0; i < p.size(); ++i) {
          m[i] = 0.8 * m[i] + 0.2 * g[i];
          v[i] = 0.99 * v[i] + 0.01 * g[i] * g[i];
          const double denominator = std::sqrt(v[i] / (1.0 - std::pow(0.99, t))) + 1e-5;
          p[i] -= 0.01 * (1.0 - momentum(t)) / (1.0 - product) * g[i] / denominator;
          p[i] -= 0.01 * momentum(t + 1) / (1.0 - product * momentum(t + 1)) * m[i] / denominator;
        }
      });
}

TEST(SgdTest, FollowsTheFormulasInFloat64OverManySteps) {
  ExpectTrajectory("sgd { learning_rate: 0.02 }",
                   [](int, const std::vector<double>& g, std::vector<double>& p) {
                     for (std::size_t i = 0; i < p.size(); ++i) p[i] -= 0.02 * g[i];
                   });
  for (const bool nesterov : {false, true}) {
    std::vector<double> u(21, 0.0);
    ExpectTrajectory(std::string("sgd { learning_rate: 0.02 momentum: 0.9 nesterov: ") +
                         (nesterov ? "true }" : "false }"),
                     [&](int, const std::vector<double>& g, std::vector<double>& p) {
                       for (std::size_t i = 0; i < p.size(); ++i) {
                         u[i] = 0.9 * u[i] + g[i];
                         p[i] -= 0.02 * (nesterov ? g[i] + 0.9 * u[i] : u[i]);
                       }
                     });
  }
}

TEST(LookaheadTest, SlowWeightsFollowEveryPeriod) {
  std::vector<double> slow;
  ExpectTrajectory("sgd { learning_rate: 0.02 } lookahead { period: 3 step: 0.25 }",
                   [&](int t, const std::vector<double>& g, std::vector<double>& p) {
                     if (slow.empty()) slow = p;
                     for (std::size_t i = 0; i < p.size(); ++i) {
                       p[i] -= 0.02 * g[i];
                       if (t % 3 != 0) continue;
                       slow[i] += 0.25 * (p[i] - slow[i]);
                       p[i] = slow[i];
                     }
                   });
}

TEST(ClipGlobalNormTest, ScalesAllGradientsTogetherOnlyAboveTheNorm) {
  Parameter a{"kernel", {0.0F, 0.0F}, {3.0F, 0.0F}};
  Parameter b{"bias", {0.0F}, {4.0F}};
  EXPECT_DOUBLE_EQ(ClipGlobalNorm({&a, &b}, 5.0), 5.0);
  EXPECT_THAT(a.gradient, ElementsAre(3.0F, 0.0F));
  EXPECT_DOUBLE_EQ(ClipGlobalNorm({&a, &b}, 2.5), 5.0);
  EXPECT_THAT(a.gradient, ElementsAre(1.5F, 0.0F));
  EXPECT_THAT(b.gradient, ElementsAre(2.0F));
}

TEST(OptimizerTest, ClipsBeforeItSteps) {
  Parameter parameter{"kernel", {0.0F, 0.0F}, {30.0F, 40.0F}};
  Make("sgd { learning_rate: 1 } clip_norm: 5", parameter)->Step();
  EXPECT_THAT(parameter.values, ElementsAre(-3.0F, -4.0F));
}

TEST(OptimizerTest, LearningRateFactorScalesTheStep) {
  for (const std::string rule :
       {"sgd { learning_rate: 0.1 }", "sgd { learning_rate: 0.1 momentum: 0.9 nesterov: true }",
        "adam { learning_rate: 0.1 }", "nadam { learning_rate: 0.1 }"}) {
    Parameter whole{"kernel", {0.0F}, {2.0F}};
    Parameter quarter = whole;
    Make(rule, whole)->Step();
    const auto optimizer = Make(rule, quarter);
    optimizer->learning_rate_factor = 0.25;
    optimizer->Step();
    EXPECT_FLOAT_EQ(quarter.values[0], 0.25F * whole.values[0]) << rule;
    EXPECT_LT(whole.values[0], 0.0F);
  }
}

TEST(OptimizerTest, StatesAndStepsAreAllThereIsToResume) {
  for (const std::string rule :
       {"adam { learning_rate: 0.01 }", "nadam { learning_rate: 0.01 }",
        "sgd { learning_rate: 0.01 momentum: 0.9 nesterov: true }",
        "adam { learning_rate: 0.01 } lookahead { period: 3 } clip_norm: 1"}) {
    std::mt19937_64 random(38);
    Parameter whole{"kernel", RandomNumbers(9, random), RandomNumbers(9, random)};
    const auto uninterrupted = Make(rule, whole);
    for (int i = 0; i < 5; ++i) uninterrupted->Step();
    Parameter resumed = whole;
    const auto second = Make(rule, resumed);
    const auto from = uninterrupted->states();
    const auto to = second->states();
    ASSERT_EQ(from.size(), to.size());
    for (std::size_t i = 0; i < from.size(); ++i) to[i]->values = from[i]->values;
    second->steps = uninterrupted->steps;
    for (int i = 0; i < 5; ++i) {
      uninterrupted->Step();
      second->Step();
    }
    EXPECT_EQ(whole.values, resumed.values) << rule;
  }
}

TEST(OptimizerTest, DescribesItsRuleAndWhatSurroundsIt) {
  Parameter parameter{"kernel", {0.0F}, {0.0F}};
  EXPECT_EQ(Make("sgd { learning_rate: 0.1 momentum: 0.9 nesterov: true } lookahead {} "
                 "clip_norm: 3",
                 parameter)
                ->description(),
            "SGD(learning_rate=0.1, momentum=0.9, Nesterov), clip_norm=3, Lookahead(period=5, "
            "step=0.5)");
}

TEST(MakeOptimizerTest, RefusesBadFieldsByName) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "optimizer: expected one of adam, nadam, sgd, got none"},
      {"adam {}", "optimizer.adam.learning_rate: expected a positive finite number, got 0"},
      {"adam { learning_rate: nan }", "optimizer.adam.learning_rate:"},
      {"adam { learning_rate: 1 beta1: 1 }", "optimizer.adam.beta1: expected a number in [0, 1)"},
      {"adam { learning_rate: 1 beta2: -0.1 }", "optimizer.adam.beta2:"},
      {"adam { learning_rate: 1 beta2: nan }", "optimizer.adam.beta2:"},
      {"adam { learning_rate: 1 epsilon: -1 }", "optimizer.adam.epsilon:"},
      {"nadam { learning_rate: 1 epsilon: inf }", "optimizer.nadam.epsilon:"},
      {"sgd { learning_rate: -1 }", "optimizer.sgd.learning_rate:"},
      {"sgd { learning_rate: 1 momentum: 1 }", "optimizer.sgd.momentum:"},
      {"sgd { learning_rate: 1 nesterov: true }",
       "optimizer.sgd.momentum: expected a positive number with nesterov: true, got 0"},
      {"sgd { learning_rate: 1 } clip_norm: -1", "optimizer.clip_norm:"},
      {"sgd { learning_rate: 1 } lookahead { period: -1 }", "optimizer.lookahead.period:"},
      {"sgd { learning_rate: 1 } lookahead { step: 1.5 }", "optimizer.lookahead.step:"},
  };
  for (const auto& [text, message] : cases) {
    v1::OptimizerSpec spec;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
    Parameter parameter{"kernel", {0.0F}, {0.0F}};
    const auto optimizer = MakeOptimizer(spec, {&parameter}, {"k"});
    ASSERT_FALSE(optimizer.ok()) << text;
    EXPECT_EQ(optimizer.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(optimizer.status().message()), testing::HasSubstr(message));
  }
}

}  // namespace
}  // namespace lipserve::trainer
