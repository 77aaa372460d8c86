// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace lipserve::trainer {
namespace {

using testing::HasSubstr;

constexpr Schedule::Run kRun{1000, 10};

v1::Schedule Parse(const std::string& text) {
  v1::Schedule spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  return spec;
}

Schedule Make(const std::string& text, const Schedule::Run& run = kRun) {
  auto schedule = Schedule::Create("field", Parse(text), run);
  EXPECT_TRUE(schedule.ok()) << schedule.status();
  return *std::move(schedule);
}

const std::vector<std::string>& AllKinds() {
  static const std::vector<std::string> kinds = {
      "constant {}",
      "linear { from: 1 }",
      "linear { from: 0.1 to: 3 until: 0.5 }",
      "exponential { to: 0.01 }",
      "exponential { per_epoch: 1.1 }",
      "cosine { to: 0.2 }",
      "one_cycle {}",
      "one_cycle { from: 0.5 to: 0.1 peak_at: 0.6 }",
      "points { point { at: 0.1 factor: 2 } point { at: 0.1 factor: 0.5 } point { at: 0.8 } }"};
  return kinds;
}

TEST(ScheduleTest, LinearRunsFromTheFirstStepToOneAfterTheLast) {
  const Schedule decay = Make("linear { from: 1 }");
  EXPECT_DOUBLE_EQ(decay.Factor(0), 1.0);
  EXPECT_DOUBLE_EQ(decay.Factor(250), 0.75);
  EXPECT_DOUBLE_EQ(decay.Factor(999), 0.001);
  const Schedule ramp = Make("linear { from: 0.1 to: 3 until: 0.5 }");
  EXPECT_DOUBLE_EQ(ramp.Factor(250), 1.55);
  EXPECT_DOUBLE_EQ(ramp.Factor(500), 3.0);
  EXPECT_DOUBLE_EQ(ramp.Factor(999), 3.0);
}

TEST(ScheduleTest, ExponentialMultipliesByTheSameRatioEveryEpoch) {
  const Schedule per_epoch = Make("exponential { per_epoch: 0.96 }");
  EXPECT_DOUBLE_EQ(per_epoch.Factor(0), 1.0);
  EXPECT_NEAR(per_epoch.Factor(100), 0.96, 1e-12);
  EXPECT_NEAR(per_epoch.Factor(250), std::pow(0.96, 2.5), 1e-12);
  EXPECT_NEAR(Make("exponential { to: 0.01 }").Factor(500), 0.1, 1e-12);
}

TEST(ScheduleTest, CosineFallsAlongHalfAWave) {
  const Schedule cosine = Make("cosine { to: 0.2 }");
  EXPECT_DOUBLE_EQ(cosine.Factor(0), 1.0);
  EXPECT_NEAR(cosine.Factor(500), 0.6, 1e-12);
  EXPECT_NEAR(cosine.Factor(250), 0.2 + 0.4 * (1.0 + std::cos(std::numbers::pi / 4.0)), 1e-12);
}

TEST(ScheduleTest, OneCycleRisesToOneAndFallsWithTheDefaultsOfPyTorch) {
  const Schedule cycle = Make("one_cycle {}");
  EXPECT_NEAR(cycle.Factor(0), 0.04, 1e-12);
  EXPECT_NEAR(cycle.Factor(150), 0.52, 1e-12);
  EXPECT_NEAR(cycle.Factor(300), 1.0, 1e-12);
  EXPECT_NEAR(cycle.Factor(650), 0.5 + 2e-6, 1e-12);
  EXPECT_LT(cycle.Factor(999), 1e-4);
}

TEST(ScheduleTest, PointsAreJoinedByLinesAndMayJump) {
  const Schedule points = Make(
      "points { point { at: 0.2 factor: 1 } point { at: 0.4 factor: 3 } point { at: 0.4 factor: 5 "
      "} }");
  EXPECT_DOUBLE_EQ(points.Factor(0), 1.0);
  EXPECT_NEAR(points.Factor(300), 2.0, 1e-12);
  EXPECT_NEAR(points.Factor(399), 2.99, 1e-12);
  EXPECT_DOUBLE_EQ(points.Factor(400), 5.0);
  EXPECT_DOUBLE_EQ(points.Factor(999), 5.0);
}

TEST(ScheduleTest, WarmupRisesLinearlyToTheCurvesFirstValueThenTheCurveTakesTheRest) {
  const Schedule warm = Make("linear { from: 2 to: 0 } warmup: 0.1");
  EXPECT_DOUBLE_EQ(warm.Factor(0), 0.02);
  EXPECT_DOUBLE_EQ(warm.Factor(49), 1.0);
  EXPECT_DOUBLE_EQ(warm.Factor(99), 2.0);
  EXPECT_DOUBLE_EQ(warm.Factor(100), 2.0);
  EXPECT_DOUBLE_EQ(warm.Factor(550), 1.0);
}

TEST(ScheduleTest, RangeHoldsEveryFactorOfTheRun) {
  for (const std::string& kind : AllKinds()) {
    for (const std::string warmup : {"", " warmup: 0.25"}) {
      const Schedule schedule = Make(kind + warmup);
      const Schedule::Range range = schedule.range();
      for (std::int64_t step = 0; step < kRun.steps; ++step) {
        ASSERT_GE(schedule.Factor(step), range.lowest - 1e-12) << schedule.description();
        ASSERT_LE(schedule.Factor(step), range.highest + 1e-12) << schedule.description();
      }
    }
  }
}

TEST(ScheduleTest, ARunOfOneStepHasAFactor) {
  for (const std::string& kind : AllKinds()) {
    EXPECT_TRUE(std::isfinite(Make(kind + " warmup: 0.9", {1, 1}).Factor(0))) << kind;
  }
}

TEST(ScheduleTest, DescribesItself) {
  EXPECT_EQ(Make("cosine { to: 0.1 } warmup: 0.05").description(),
            "cosine from 1 to 0.1, warm-up 0.05 of the run");
  EXPECT_EQ(Make("linear { from: 0.1 to: 3 until: 0.5 }").description(),
            "linear from 0.1 to 3 at 0.5 of the run");
}

TEST(ScheduleTest, RefusesWrongNumbersByField) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "field: expected one of constant, linear, exponential, cosine, one_cycle, points"},
      {"constant {} warmup: 1", "field.warmup: expected a share in [0, 1), got 1"},
      {"linear { from: -1 }", "field.linear.from:"},
      {"linear { from: 1 to: nan }", "field.linear.to:"},
      {"linear { from: 1 until: 2 }", "field.linear.until:"},
      {"exponential {}", "field.exponential.to: expected exactly one of"},
      {"exponential { to: 0.1 per_epoch: 0.9 }", "field.exponential.to: expected exactly one of"},
      {"cosine { to: inf }", "field.cosine.to:"},
      {"one_cycle { from: 2 }", "field.one_cycle.from:"},
      {"one_cycle { to: -1 }", "field.one_cycle.to:"},
      {"one_cycle { peak_at: 1 }", "field.one_cycle.peak_at:"},
      {"points {}", "field.points: expected at least one point"},
      {"points { point { at: 0.5 } point { at: 0.4 } }", "field.points.point.at:"},
      {"points { point { at: 0.5 factor: -1 } }", "field.points.point.factor:"},
  };
  for (const auto& [text, message] : cases) {
    const auto schedule = Schedule::Create("field", Parse(text), kRun);
    ASSERT_FALSE(schedule.ok()) << text;
    EXPECT_THAT(std::string(schedule.status().message()), HasSubstr(message));
  }
}

}  // namespace
}  // namespace lipserve::trainer
