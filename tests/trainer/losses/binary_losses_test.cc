// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/binary_losses.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "trainer/losses/make_loss.h"

namespace lipserve::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

v1::LossSpec Hkr(double alpha, v1::AlphaConvention alpha_convention, double min_margin,
                 v1::MarginConvention margin_convention) {
  v1::LossSpec spec;
  spec.mutable_hkr()->set_alpha(alpha);
  spec.mutable_hkr()->set_alpha_convention(alpha_convention);
  spec.mutable_hkr()->set_min_margin(min_margin);
  spec.mutable_hkr()->set_margin_convention(margin_convention);
  return spec;
}

v1::LossSpec Kr() {
  v1::LossSpec spec;
  spec.mutable_kr();
  return spec;
}

v1::LossSpec Hinge(double min_margin, v1::MarginConvention convention) {
  v1::LossSpec spec;
  spec.mutable_hinge_margin()->set_min_margin(min_margin);
  spec.mutable_hinge_margin()->set_margin_convention(convention);
  return spec;
}

// Every loss of every convention.
std::vector<v1::LossSpec> AllBinaryLosses() {
  std::vector<v1::LossSpec> specs = {Kr()};
  for (const auto margin : {v1::MARGIN_CONVENTION_FULL, v1::MARGIN_CONVENTION_HALF}) {
    specs.push_back(Hinge(1.5, margin));
    specs.push_back(Hkr(10.0, v1::ALPHA_CONVENTION_HINGE_WEIGHT, 1.0, margin));
    specs.push_back(Hkr(0.7, v1::ALPHA_CONVENTION_CONVEX, 1.0, margin));
  }
  return specs;
}

std::unique_ptr<Loss> Make(const v1::LossSpec& spec) {
  auto loss = MakeLoss(spec, 1);
  EXPECT_TRUE(loss.ok()) << loss.status();
  return *std::move(loss);
}

double LossOf(const v1::LossSpec& spec, const std::vector<float>& scores,
              const std::vector<std::int32_t>& labels) {
  return Make(spec)->Evaluate({{scores.data(), scores.size(), 1}, labels}, {});
}

// The batch whose losses were computed with torchlip: y = +1, +1, -1, -1.
const std::vector<float> kScores = {2.0F, -0.3F, 0.2F, -1.0F};
const std::vector<std::int32_t> kLabels = {0, 0, 1, 1};

TEST(BinaryLossesTest, GoldenValuesOfThePeerLibraries) {
  constexpr auto kHalf = v1::MARGIN_CONVENTION_HALF;
  EXPECT_NEAR(LossOf(Kr(), kScores, kLabels), -1.25, 1e-6);
  EXPECT_NEAR(LossOf(Hinge(1.0, kHalf), kScores, kLabels), 0.375, 1e-6);
  const auto hinge_weight = v1::ALPHA_CONVENTION_HINGE_WEIGHT;
  const auto convex = v1::ALPHA_CONVENTION_CONVEX;
  EXPECT_NEAR(LossOf(Hkr(10.0, hinge_weight, 1.0, kHalf), kScores, kLabels), 2.5, 1e-6);
  EXPECT_NEAR(LossOf(Hkr(10.0 / 11.0, convex, 1.0, kHalf), kScores, kLabels), 0.2272727, 1e-6);
  EXPECT_NEAR(LossOf(Hkr(0.5, convex, 1.0, kHalf), kScores, kLabels), -0.4375, 1e-6);
}

TEST(BinaryLossesTest, FullMarginBendsAtTheMarginAndHalfAtHalfOfIt) {
  // relu(1 - y f): 0, 1.3, 1.2, 0.
  EXPECT_NEAR(LossOf(Hinge(1.0, v1::MARGIN_CONVENTION_FULL), kScores, kLabels), 0.625, 1e-6);
  EXPECT_EQ(LossOf(Hinge(1.0, v1::MARGIN_CONVENTION_FULL), kScores, kLabels),
            LossOf(Hinge(2.0, v1::MARGIN_CONVENTION_HALF), kScores, kLabels));
}

TEST(BinaryLossesTest, EndsOfAlphaAreOneTermAlone) {
  const double kr = LossOf(Kr(), kScores, kLabels);
  const double hinge = LossOf(Hinge(1.0, v1::MARGIN_CONVENTION_FULL), kScores, kLabels);
  const auto full = v1::MARGIN_CONVENTION_FULL;
  EXPECT_EQ(LossOf(Hkr(0.0, v1::ALPHA_CONVENTION_HINGE_WEIGHT, 1.0, full), kScores, kLabels), kr);
  EXPECT_EQ(LossOf(Hkr(0.0, v1::ALPHA_CONVENTION_CONVEX, 1.0, full), kScores, kLabels), kr);
  EXPECT_EQ(LossOf(Hkr(1.0, v1::ALPHA_CONVENTION_CONVEX, 1.0, full), kScores, kLabels), hinge);
}

TEST(BinaryLossesTest, KrUsesTheBatchsOwnCounts) {
  EXPECT_NEAR(LossOf(Kr(), {1.0F, 4.0F, 7.0F, 2.0F}, {0, 0, 0, 1}), -(4.0 - 2.0), 1e-6);
}

TEST(BinaryLossesTest, MissingClassContributesNothingAndNeverNaN) {
  EXPECT_NEAR(LossOf(Kr(), {1.0F, 3.0F}, {0, 0}), -2.0, 1e-6);
  EXPECT_NEAR(LossOf(Kr(), {1.0F, 3.0F}, {1, 1}), 2.0, 1e-6);
  for (const v1::LossSpec& spec : AllBinaryLosses()) {
    const std::vector<float> scores = {0.5F};
    float gradient = 0.0F;
    EXPECT_TRUE(std::isfinite(Make(spec)->Evaluate(
        {{scores.data(), 1, 1}, std::vector<std::int32_t>{1}}, {{&gradient, 1, 1}})));
    EXPECT_TRUE(std::isfinite(gradient));
  }
}

TEST(BinaryLossesTest, GradientMatchesDifferencesForEveryLossAndConvention) {
  // Away from the kinks at y f = margin by more than the step; unequal classes.
  std::vector<float> scores = {2.0F, -0.3F, 0.2F, -1.1F, 0.4F, 0.9F, -0.6F};
  const std::vector<std::int32_t> labels = {0, 0, 1, 1, 0, 1, 1};
  for (const v1::LossSpec& spec : AllBinaryLosses()) {
    const auto loss = Make(spec);
    SCOPED_TRACE(loss->description());
    std::vector<float> gradient(scores.size());
    const ConstMatrixView view{scores.data(), scores.size(), 1};
    const double value = loss->Evaluate({view, labels}, {{gradient.data(), scores.size(), 1}});
    EXPECT_EQ(value, loss->Evaluate({view, labels}, {}));
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const float score = scores[i];
      scores[i] = score + 0x1p-6F;
      const double above = loss->Evaluate({view, labels}, {});
      const double top = static_cast<double>(scores[i]);
      scores[i] = score - 0x1p-6F;
      const double below = loss->Evaluate({view, labels}, {});
      const double width = top - static_cast<double>(scores[i]);
      scores[i] = score;
      // Piecewise linear and in float64: only the gradient's own rounding remains.
      EXPECT_NEAR(static_cast<double>(gradient[i]), (above - below) / width, 1e-6);
    }
  }
}

TEST(BinaryLossesTest, MetricsAreTheTermsThenTheAccuracy) {
  const ConstMatrixView scores{kScores.data(), 4, 1};
  const auto names = [&](const v1::LossSpec& spec) {
    std::vector<std::string> result;
    for (const Metric& metric : Make(spec)->Metrics(scores, kLabels)) result.push_back(metric.name);
    return result;
  };
  const v1::LossSpec hkr =
      Hkr(10.0, v1::ALPHA_CONVENTION_HINGE_WEIGHT, 1.0, v1::MARGIN_CONVENTION_FULL);
  EXPECT_THAT(names(hkr), ElementsAre("KR", "HingeMargin", "accuracy"));
  EXPECT_THAT(names(Kr()), ElementsAre("KR", "accuracy"));
  EXPECT_THAT(names(Hinge(1.0, v1::MARGIN_CONVENTION_FULL)),
              ElementsAre("HingeMargin", "accuracy"));
  const std::vector<Metric> metrics = Make(hkr)->Metrics(scores, kLabels);
  EXPECT_NEAR(metrics[0].value, 1.25, 1e-6);
  EXPECT_NEAR(metrics[1].value, 0.625, 1e-6);
  EXPECT_EQ(metrics[2].value, 0.5);
}

TEST(BinaryLossesTest, ScoreOfZeroIsTheFirstClass) {
  const std::vector<float> scores = {0.0F, -0.0F, 0.0F};
  const std::vector<Metric> metrics =
      Make(Kr())->Metrics({scores.data(), 3, 1}, std::vector<std::int32_t>{0, 0, 1});
  EXPECT_NEAR(metrics.back().value, 2.0 / 3.0, 1e-12);
}

TEST(BinaryLossesTest, NaNReachesTheCaller) {
  const std::vector<float> scores = {std::numeric_limits<float>::quiet_NaN(), 1.0F};
  for (const v1::LossSpec& spec : AllBinaryLosses()) {
    EXPECT_TRUE(std::isnan(LossOf(spec, scores, {0, 1})));
  }
}

TEST(MakeLossTest, RefusesWhatItDoesNotSupportNamingTheField) {
  const auto weight = v1::ALPHA_CONVENTION_HINGE_WEIGHT;
  const auto convex = v1::ALPHA_CONVENTION_CONVEX;
  const auto full = v1::MARGIN_CONVENTION_FULL;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<std::pair<v1::LossSpec, const char*>> cases = {
      {v1::LossSpec(), "loss: expected a loss, such as multiclass_hkr, got none"},
      {Hkr(-1.0, weight, 1.0, full), "loss.hkr.alpha:"},
      {Hkr(nan, weight, 1.0, full), "loss.hkr.alpha:"},
      {Hkr(inf, weight, 1.0, full), "use hinge_margin"},
      {Hkr(1.5, convex, 1.0, full), "loss.hkr.alpha: expected a number in [0, 1]"},
      {Hkr(1.0, v1::ALPHA_CONVENTION_UNSPECIFIED, 1.0, full), "loss.hkr.alpha_convention:"},
      {Hkr(1.0, weight, 0.0, full), "loss.hkr.min_margin:"},
      {Hkr(1.0, weight, 1.0, v1::MARGIN_CONVENTION_UNSPECIFIED), "loss.hkr.margin_convention:"},
      {Hinge(-1.0, full), "loss.hinge_margin.min_margin:"},
      {Hinge(1.0, v1::MARGIN_CONVENTION_UNSPECIFIED), "loss.hinge_margin.margin_convention:"},
  };
  for (const auto& [spec, message] : cases) {
    const auto loss = MakeLoss(spec, 1);
    ASSERT_FALSE(loss.ok()) << spec.ShortDebugString();
    EXPECT_EQ(loss.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(loss.status().message()), HasSubstr(message));
  }
}

TEST(MakeLossTest, RefusesManyScoresSayingWhatIsSupported) {
  const auto loss = MakeLoss(Kr(), 10);
  ASSERT_FALSE(loss.ok());
  EXPECT_EQ(loss.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(loss.status().message()),
              HasSubstr("expected a network with 1 score, got 10"));
}

TEST(MakeLossTest, DescribesTheConventions) {
  EXPECT_EQ(Make(Hkr(10.0, v1::ALPHA_CONVENTION_HINGE_WEIGHT, 1.0, v1::MARGIN_CONVENTION_FULL))
                ->description(),
            "HKR(alpha=10, min_margin=1, full margin)");
  EXPECT_EQ(
      Make(Hkr(0.5, v1::ALPHA_CONVENTION_CONVEX, 1.0, v1::MARGIN_CONVENTION_HALF))->description(),
      "HKR(alpha=0.5 convex, min_margin=1, half margin)");
}

}  // namespace
}  // namespace lipserve::trainer
