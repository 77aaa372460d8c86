// SPDX-License-Identifier: Apache-2.0
// The HKR family with a score for each class.
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loss_check.h"
#include "trainer/losses/make_loss.h"
#include "trainer/losses/soft_hkr_loss.h"

namespace lipserve::trainer {
namespace {

using testing::ElementsAre;

constexpr char kHalf[] = "min_margin: 1 margin_convention: MARGIN_CONVENTION_HALF";
constexpr char kConvex[] = "alpha: 0.9 alpha_convention: ALPHA_CONVENTION_CONVEX";

std::string Spec(const std::string& loss, const std::string& fields) {
  return loss + " { " + fields + " }";
}

// Every loss of the family under every convention.
std::vector<std::string> AllMulticlassLosses() {
  std::vector<std::string> specs = {"multiclass_kr {}"};
  for (const std::string margin : {"FULL", "HALF"}) {
    const std::string bend = "min_margin: 0.8 margin_convention: MARGIN_CONVENTION_" + margin;
    specs.push_back(Spec("multiclass_hinge", bend));
    for (const std::string alpha : {"alpha: 10 alpha_convention: ALPHA_CONVENTION_HINGE_WEIGHT",
                                    "alpha: 0.7 alpha_convention: ALPHA_CONVENTION_CONVEX",
                                    "alpha: 10 alpha_convention: ALPHA_CONVENTION_KR_DIVISOR"}) {
      const std::string fields = bend + " " + alpha;
      specs.push_back(Spec("multiclass_hkr", fields));
      specs.push_back(Spec("soft_hkr", fields + " temperature: 4"));
      specs.push_back(Spec("lse_hkr", fields + " temperature: 2 penalty: 0.5"));
    }
  }
  return specs;
}

TEST(MulticlassLossesTest, GoldenValuesOfThePeerLibraries) {
  const LossCase peers = PeersMulticlassCase();
  const std::string half = kHalf;
  const std::string convex = std::string(kConvex) + " " + half;
  EXPECT_NEAR(TrainingLossOf("multiclass_kr {}", peers), -0.72222221, 1e-6);
  EXPECT_NEAR(TrainingLossOf(Spec("multiclass_hinge", half), peers), 0.35833335, 1e-6);
  EXPECT_NEAR(TrainingLossOf(Spec("multiclass_hkr", convex), peers), 0.25027779, 1e-6);
  EXPECT_NEAR(TrainingLossOf(Spec("soft_hkr", convex), peers), 0.46876466, 1e-6);
  EXPECT_NEAR(TrainingLossOf(Spec("lse_hkr", convex), peers), 0.95156419, 1e-6);
}

TEST(MulticlassLossesTest, ConventionsOfAlphaWeighTheSameTwoTerms) {
  const LossCase peers = PeersMulticlassCase();
  const double kr = -TrainingLossOf("multiclass_kr {}", peers);
  const double hinge = TrainingLossOf(Spec("multiclass_hinge", kHalf), peers);
  const auto hkr = [&](const std::string& alpha) {
    return TrainingLossOf(Spec("multiclass_hkr", std::string(kHalf) + " " + alpha), peers);
  };
  EXPECT_NEAR(hkr("alpha: 4 alpha_convention: ALPHA_CONVENTION_HINGE_WEIGHT"), 4.0 * hinge - kr,
              1e-12);
  EXPECT_NEAR(hkr("alpha: 0.8 alpha_convention: ALPHA_CONVENTION_CONVEX"), 0.8 * hinge - 0.2 * kr,
              1e-12);
  EXPECT_NEAR(hkr("alpha: 4 alpha_convention: ALPHA_CONVENTION_KR_DIVISOR"), hinge - kr / 4.0,
              1e-12);
}

TEST(MulticlassLossesTest, FullMarginIsTwiceTheHalfMargin) {
  const LossCase peers = PeersMulticlassCase();
  EXPECT_EQ(
      TrainingLossOf("multiclass_hinge { min_margin: 1 margin_convention: MARGIN_CONVENTION_FULL }",
                     peers),
      TrainingLossOf("multiclass_hinge { min_margin: 2 margin_convention: MARGIN_CONVENTION_HALF }",
                     peers));
}

TEST(MulticlassLossesTest, GradientMatchesDifferencesForEveryLossAndConvention) {
  for (const std::string& spec : AllMulticlassLosses()) {
    ExpectLossGradientMatchesDifferences(*MakeLossOf(spec, 3), PeersMulticlassCase());
  }
}

TEST(MulticlassLossesTest, AClassAbsentFromTheBatchIsNoNaN) {
  for (const std::string& spec : AllMulticlassLosses()) {
    ExpectFiniteWithoutSomeClasses(*MakeLossOf(spec, 3), PeersMulticlassCase());
  }
  // Class 1 is absent: its own side of KR is 0, the others' side is theirs.
  const LossCase c{{1.0F, 0.5F, 0.0F, 0.0F, 0.25F, 2.0F}, {0, 2}, std::vector<float>(3)};
  EXPECT_NEAR(TrainingLossOf("multiclass_kr {}", c), -(1.0 - 0.375 + 2.0) / 3.0, 1e-12);
}

TEST(MulticlassLossesTest, TwoClassesAreNoNaN) {
  const LossCase c{{1.0F, 0.5F, 0.25F, 2.0F}, {0, 1}, std::vector<float>(2)};
  for (const std::string& spec : AllMulticlassLosses()) {
    EXPECT_TRUE(std::isfinite(TrainingLossOf(spec, c))) << spec;
  }
}

TEST(MulticlassLossesTest, NaNReachesTheCaller) {
  for (const std::string& spec : AllMulticlassLosses()) {
    for (std::size_t i = 0; i < 3; ++i) {
      LossCase c = PeersMulticlassCase();
      c.scores[i] = std::numeric_limits<float>::quiet_NaN();
      EXPECT_TRUE(std::isnan(TrainingLossOf(spec, c))) << spec << " score " << i;
    }
  }
}

TEST(MulticlassLossesTest, MetricsAreTheTermsThenTheAccuracy) {
  const LossCase peers = PeersMulticlassCase();
  const auto names = [&peers](const std::string& spec) {
    std::vector<std::string> result;
    for (const Metric& metric : MakeLossOf(spec, 3)->Metrics(peers.batch().scores, peers.labels)) {
      result.push_back(metric.name);
    }
    return result;
  };
  const std::string convex = std::string(kConvex) + " " + kHalf;
  EXPECT_THAT(names(Spec("multiclass_hkr", convex)),
              ElementsAre("MulticlassKR", "MulticlassHinge", "accuracy"));
  EXPECT_THAT(names("multiclass_kr {}"), ElementsAre("MulticlassKR", "accuracy"));
  EXPECT_THAT(names(Spec("soft_hkr", convex)), ElementsAre("accuracy"));
}

TEST(SoftHkrLossTest, TemperatureFollowsTheSizeOfTheScoresItTrainedOn) {
  SoftHkrLoss loss({{0.9, AlphaConvention::kConvex}, {1.0, true}, 2.0, 0.75});
  EXPECT_DOUBLE_EQ(loss.softmax_temperature(), 2.0);
  const std::vector<float> scores = {13.0F, -13.0F};
  loss.Observe({scores.data(), 1, 2});  // a = 0.75 * 1 + 0.25 * 13 = 4
  EXPECT_DOUBLE_EQ(loss.softmax_temperature(), 0.5);
  EXPECT_EQ(loss.states()[0].values[0], 4.0F);
}

TEST(SoftHkrLossTest, EvaluatingAloneChangesNothing) {
  const auto loss = MakeLossOf(Spec("soft_hkr", std::string(kConvex) + " " + kHalf), 3);
  const LossCase peers = PeersMulticlassCase();
  const double first = loss->Evaluate(peers.batch(), {});
  EXPECT_EQ(loss->Evaluate(peers.batch(), {}), first);
  EXPECT_EQ(loss->states()[0].values[0], 1.0F);
}

TEST(SoftHkrLossTest, HighTemperatureCountsTheStrongestRivalAlone) {
  const std::string fields =
      "alpha: 1 alpha_convention: ALPHA_CONVENTION_CONVEX min_margin: 1 margin_convention: "
      "MARGIN_CONVENTION_FULL temperature: 200";
  const LossCase c{{0.25F, -0.5F, -2.0F}, {0}, std::vector<float>(3)};
  // relu(1 - 0.25) + relu(1 - 0.5): e^(-200 * 1.5) of the third class is nothing.
  EXPECT_NEAR(TrainingLossOf(Spec("soft_hkr", fields), c), 1.25, 1e-12);
}

TEST(LseHkrLossTest, SmoothMaximumStaysWithinPenaltyMarginsOfTheMaximum) {
  const std::string fields =
      "alpha: 0 alpha_convention: ALPHA_CONVENTION_CONVEX min_margin: 2 margin_convention: "
      "MARGIN_CONVENTION_HALF penalty: 0.5";
  // Loss = r - f_y; equal rivals are the worst case, r = max + penalty * bend.
  const LossCase equal{{0.0F, 1.5F, 1.5F, 1.5F}, {0}, std::vector<float>(4)};
  EXPECT_NEAR(TrainingLossOf(Spec("lse_hkr", fields), equal), 1.5 + 0.5, 1e-12);
  const LossCase apart{{0.0F, 1.5F, -40.0F, -40.0F}, {0}, std::vector<float>(4)};
  EXPECT_NEAR(TrainingLossOf(Spec("lse_hkr", fields), apart), 1.5, 1e-9);
}

}  // namespace
}  // namespace lipserve::trainer
