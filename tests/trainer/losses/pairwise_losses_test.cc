// SPDX-License-Identifier: Apache-2.0
// The losses of margins: hinges, cross-entropies, EMMA and logit annealing.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loss_check.h"
#include "trainer/losses/make_loss.h"
#include "trainer/losses/pair_distances.h"

namespace lipserve::trainer {
namespace {

// Losses that take networks with one score too.
std::vector<std::string> LossesOfEitherNetwork() {
  std::vector<std::string> specs = {
      "tau_cross_entropy { tau: 5 }",
      "emma { epsilon: 0.3 }",
      "emma { epsilon: 3 }",
      "logit_annealing { offset: 0.5 temperature: 0.75 power: 5 }",
      "logit_annealing { offset: 0.5 temperature: 0.75 power: 0.5 epsilon: 0.3 }",
  };
  for (const std::string kind : {"SCORES", "CERTIFIED"}) {
    const std::string margins = " margins: MARGIN_KIND_" + kind + " ";
    specs.push_back("offset_cross_entropy { offset: 0.7 temperature: 0.25" + margins + "}");
    specs.push_back("margin_hinge { margin: 0.9" + margins + "over: HINGE_OVER_ALL }");
    specs.push_back("margin_hinge { margin: 0.9" + margins + "over: HINGE_OVER_WORST }");
  }
  return specs;
}

std::vector<std::string> MulticlassLosses() {
  std::vector<std::string> specs = LossesOfEitherNetwork();
  specs.emplace_back("multi_margin { min_margin: 0.9 }");
  specs.emplace_back("categorical_hinge { min_margin: 0.9 }");
  return specs;
}

// Calls `visit` with d_j and D_j of each other class of each sample, and returns the mean of what
// it returns.
double MeanOverSamples(
    const LossCase& c,
    const std::function<double(const std::vector<double>&, const std::vector<double>&)>& visit) {
  const ScoredBatch batch = c.batch();
  double sum = 0.0;
  for (std::size_t i = 0; i < c.labels.size(); ++i) {
    const auto y = static_cast<std::size_t>(c.labels[i]);
    std::vector<double> differences;
    std::vector<double> distances;
    for (std::size_t j = 0; j < c.num_scores(); ++j) {
      if (j == y) continue;
      differences.push_back(static_cast<double>(batch.scores.row(i)[y]) -
                            static_cast<double>(batch.scores.row(i)[j]));
      double square = 0.0;
      for (std::size_t k = 0; k < batch.head.cols; ++k) {
        square += std::pow(
            static_cast<double>(batch.head.row(y)[k]) - static_cast<double>(batch.head.row(j)[k]),
            2.0);
      }
      distances.push_back(std::sqrt(square));
    }
    sum += visit(differences, distances);
  }
  return sum / static_cast<double>(c.labels.size());
}

TEST(PairwiseLossesTest, GoldenValuesOfThePeerLibraries) {
  EXPECT_NEAR(TrainingLossOf("tau_cross_entropy { tau: 5 }", PeersMulticlassCase()), 0.02904928,
              1e-6);
  EXPECT_NEAR(TrainingLossOf("tau_cross_entropy { tau: 5 }", PeersBinaryCase()), 0.15107179, 1e-6);
  EXPECT_NEAR(TrainingLossOf("categorical_hinge { min_margin: 1 }", PeersMulticlassCase()), 0.5,
              1e-6);
}

TEST(PairwiseLossesTest, MultiMarginIsAMeanOverAllClasses) {
  const LossCase peers = PeersMulticlassCase();
  const double expected = MeanOverSamples(peers, [](const auto& d, const auto&) {
    double sum = 0.0;
    for (const double difference : d) sum += std::max(0.0, 1.0 - difference);
    return sum / 3.0;
  });
  EXPECT_NEAR(TrainingLossOf("multi_margin { min_margin: 1 }", peers), expected, 1e-12);
}

TEST(PairwiseLossesTest, OffsetCrossEntropyOnCertifiedMarginsIsThatOfTheExperiments) {
  // T log(1 + sum exp((k - m_j) / T)) with m_j = (f_y - f_j) / ||w_y - w_j||.
  const LossCase peers = PeersMulticlassCase();
  const double expected = MeanOverSamples(peers, [](const auto& d, const auto& distances) {
    double sum = 1.0;
    for (std::size_t k = 0; k < d.size(); ++k) {
      sum += std::exp((2.0 - d[k] / distances[k]) / 0.25);
    }
    return 0.25 * std::log(sum);
  });
  EXPECT_NEAR(TrainingLossOf("offset_cross_entropy { offset: 2 temperature: 0.25 margins: "
                             "MARGIN_KIND_CERTIFIED }",
                             peers),
              expected, 1e-9);
}

TEST(PairwiseLossesTest, OffsetCrossEntropyWithoutOffsetIsTau) {
  EXPECT_NEAR(TrainingLossOf("offset_cross_entropy { offset: 0 temperature: 0.2 margins: "
                             "MARGIN_KIND_SCORES }",
                             PeersMulticlassCase()),
              TrainingLossOf("tau_cross_entropy { tau: 5 }", PeersMulticlassCase()), 1e-12);
}

TEST(PairwiseLossesTest, CertifiedMarginsDoNotSeeTheScaleOfTheHead) {
  const std::string loss =
      "margin_hinge { margin: 0.9 margins: MARGIN_KIND_CERTIFIED over: HINGE_OVER_WORST }";
  for (const LossCase& c : {PeersMulticlassCase(), PeersBinaryCase()}) {
    LossCase scaled = c;
    for (float& score : scaled.scores) score *= 8.0F;
    for (float& weight : scaled.head) weight *= 8.0F;
    EXPECT_NEAR(TrainingLossOf(loss, scaled), TrainingLossOf(loss, c), 1e-12);
    EXPECT_GT(TrainingLossOf(loss, c), 0.0);
  }
}

TEST(PairwiseLossesTest, EmmaMovesEachClassByEpsilonOrToATie) {
  constexpr double kEpsilon = 0.5;
  const LossCase peers = PeersMulticlassCase();
  const double expected = MeanOverSamples(peers, [](const auto& d, const auto& distances) {
    double sum = 1.0;
    for (std::size_t k = 0; k < d.size(); ++k) {
      const double reach = kEpsilon * distances[k];
      sum += std::exp(-d[k] + std::clamp(d[k] / reach, 0.01, 1.0) * reach);
    }
    return std::log(sum);
  });
  EXPECT_NEAR(TrainingLossOf("emma { epsilon: 0.5 }", peers), expected, 1e-12);
  // Everything can be reached: all classes tie, where d_j > 0.
  const LossCase tie{{3.0F, 1.0F, 2.0F}, {0}, PeersMulticlassCase().head};
  EXPECT_NEAR(TrainingLossOf("emma { epsilon: 10 }", tie), std::log(3.0), 1e-12);
}

TEST(PairwiseLossesTest, LogitAnnealingIsTheFormulaOfBro) {
  const LossCase peers = PeersMulticlassCase();
  const double expected = MeanOverSamples(peers, [](const auto& d, const auto&) {
    double sum = 1.0;
    for (const double difference : d) sum += std::exp((0.5 - difference) / 0.75);
    const double p = 1.0 / sum;
    return 0.75 * std::pow(1.0 - p, 5.0) * -std::log(p);
  });
  EXPECT_NEAR(TrainingLossOf("logit_annealing { offset: 0.5 temperature: 0.75 power: 5 }", peers),
              expected, 1e-12);
}

TEST(PairwiseLossesTest, LogitAnnealingWithoutPowerOrOffsetIsEmma) {
  EXPECT_NEAR(
      TrainingLossOf("logit_annealing { temperature: 1 epsilon: 0.3 }", PeersMulticlassCase()),
      TrainingLossOf("emma { epsilon: 0.3 }", PeersMulticlassCase()), 1e-12);
}

TEST(PairwiseLossesTest, GradientsOfScoresAndHeadMatchDifferences) {
  for (const std::string& spec : MulticlassLosses()) {
    if (spec.find("emma") == 0 || spec.find("epsilon") != std::string::npos) continue;
    ExpectLossGradientMatchesDifferences(*MakeLossOf(spec, 3), PeersMulticlassCase());
  }
  for (const std::string& spec : LossesOfEitherNetwork()) {
    if (spec.find("emma") == 0 || spec.find("epsilon") != std::string::npos) continue;
    ExpectLossGradientMatchesDifferences(*MakeLossOf(spec, 1), PeersBinaryCase());
  }
}

// EMMA's share e_j carries no gradient, so differences see it only where it is clipped: a sample
// out of reach (e = 1) or already lost (e = 0.01).
TEST(PairwiseLossesTest, GradientsOfEmmaMatchDifferencesWhereItsShareIsClipped) {
  const LossCase c{{4.0F, 0.5F, -0.25F, 0.5F, 0.125F, 1.0F}, {0, 1}, PeersMulticlassCase().head};
  for (const std::string spec :
       {"emma { epsilon: 0.3 }",
        "logit_annealing { offset: 0.5 temperature: 0.75 power: 0.5 epsilon: 0.3 }"}) {
    ExpectLossGradientMatchesDifferences(*MakeLossOf(spec, 3), c);
  }
}

TEST(PairwiseLossesTest, EmmaKeepsAGradientWhereTheRivalIsMovedToATie) {
  const auto loss = MakeLossOf("emma { epsilon: 10 }", 3);
  const LossCase tie{{3.0F, 1.0F, 2.0F}, {0}, PeersMulticlassCase().head};
  std::vector<float> gradient(3);
  loss->Evaluate(tie.batch(), {{gradient.data(), 1, 3}, {}});
  // Softmax of three equal logits: 1/3 - 1 and 1/3.
  EXPECT_NEAR(static_cast<double>(gradient[0]), -2.0 / 3.0, 1e-6);
  EXPECT_NEAR(static_cast<double>(gradient[1]), 1.0 / 3.0, 1e-6);
}

TEST(PairwiseLossesTest, AClassAbsentFromTheBatchIsNoNaN) {
  for (const std::string& spec : MulticlassLosses()) {
    ExpectFiniteWithoutSomeClasses(*MakeLossOf(spec, 3), PeersMulticlassCase());
  }
  for (const std::string& spec : LossesOfEitherNetwork()) {
    ExpectFiniteWithoutSomeClasses(*MakeLossOf(spec, 1), PeersBinaryCase());
  }
}

TEST(PairwiseLossesTest, ExtremeScoresAndAHeadOfZerosAreFinite) {
  for (const std::string& spec : MulticlassLosses()) {
    ExpectFiniteWithoutSomeClasses(
        *MakeLossOf(spec, 3),
        {{1e6F, -1e6F, 0.0F, -1e6F, 1e6F, 0.0F}, {0, 0}, PeersMulticlassCase().head});
    ExpectFiniteWithoutSomeClasses(*MakeLossOf(spec, 3),
                                   {{1.0F, -1.0F, 0.0F}, {0}, std::vector<float>(6)});
  }
}

TEST(PairwiseLossesTest, NaNInTheLabelsScoreReachesTheCaller) {
  for (const std::string& spec : MulticlassLosses()) {
    LossCase c = PeersMulticlassCase();
    c.scores[0] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(TrainingLossOf(spec, c))) << spec;
  }
}

TEST(PairDistancesTest, AreDistancesOfRowsAndOfASingleRowItsNorm) {
  const std::vector<float> head = {3.0F, 4.0F, 0.0F, 0.0F, 3.0F, 0.0F};
  PairDistances pairs;
  pairs.Compute({head.data(), 3, 2});
  EXPECT_THAT(pairs.row(0), testing::ElementsAre(0.0, 5.0, 4.0));
  EXPECT_THAT(pairs.row(2), testing::ElementsAre(4.0, 3.0, 0.0));
  pairs.Compute({head.data(), 1, 2});
  EXPECT_EQ(pairs.classes(), 2U);
  EXPECT_THAT(pairs.row(1), testing::ElementsAre(5.0, 0.0));
}

TEST(PairDistancesTest, EqualRowsHaveTheSmallestDistanceAndNoGradient) {
  const std::vector<float> head = {3.0F, 4.0F, 3.0F, 4.0F};
  PairDistances pairs;
  pairs.Compute({head.data(), 2, 2});
  EXPECT_EQ(pairs.row(0)[1], PairDistances::kSmallest);
  pairs.gradient_row(0)[1] = 1.0;
  std::vector<float> gradient(4, 1.0F);
  pairs.WriteGradient({gradient.data(), 2, 2});
  EXPECT_THAT(gradient, testing::Each(0.0F));
}

}  // namespace
}  // namespace lipserve::trainer
