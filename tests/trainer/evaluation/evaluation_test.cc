// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/trainer/threshold_model.h"
#include "trainer/cli/evaluation_table.h"
#include "trainer/evaluation/json_lines.h"

namespace lipserve::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Radii are rounded down: by far less than this, and never up.
constexpr double kRoundingDown = 1e-4;

TEST(EvaluationTest, EqualsTheFiguresComputedByHand) {
  const double epsilons[] = {0.5, 2.5, 6.0};
  const auto evaluation = Evaluate(*CertifiedThresholdModel(), SixSamples(), epsilons);
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  EXPECT_EQ(evaluation->samples, 6u);
  EXPECT_DOUBLE_EQ(evaluation->accuracy, 4.0 / 6.0);
  ASSERT_EQ(evaluation->certified.size(), 3u);
  EXPECT_EQ(evaluation->certified[0].epsilon, 0.5);
  EXPECT_DOUBLE_EQ(evaluation->certified[0].accuracy, 4.0 / 6.0);
  EXPECT_DOUBLE_EQ(evaluation->certified[1].accuracy, 2.0 / 6.0);
  EXPECT_DOUBLE_EQ(evaluation->certified[2].accuracy, 0.0);  // 7 would be, but it is wrong
  EXPECT_LE(evaluation->mean_radius_l2, 11.0 / 6.0);
  EXPECT_NEAR(evaluation->mean_radius_l2, 11.0 / 6.0, kRoundingDown);
  EXPECT_LE(evaluation->median_radius_l2, 1.5);  // of 0 0 1 2 3 5
  EXPECT_NEAR(evaluation->median_radius_l2, 1.5, kRoundingDown);
  EXPECT_GE(evaluation->lipschitz_bound, 1.0);
  EXPECT_THAT(evaluation->confusion, ElementsAre(ElementsAre(2, 1), ElementsAre(1, 2)));
}

TEST(EvaluationTest, ClassesAddUpToTheWhole) {
  const double epsilons[] = {2.5};
  const auto evaluation = Evaluate(*CertifiedThresholdModel(), SixSamples(), epsilons);
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  ASSERT_EQ(evaluation->classes.size(), 2u);
  const ClassEvaluation& high = evaluation->classes[0];  // radii 5, 2, and one wrong answer
  EXPECT_EQ(high.samples, 3u);
  EXPECT_DOUBLE_EQ(high.accuracy, 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(high.certified[0].accuracy, 1.0 / 3.0);
  EXPECT_NEAR(high.mean_radius_l2, 7.0 / 3.0, kRoundingDown);
  EXPECT_NEAR(high.median_radius_l2, 2.0, kRoundingDown);
  EXPECT_EQ(evaluation->classes[1].samples, 3u);
  ASSERT_EQ(evaluation->outcomes.size(), 6u);
  EXPECT_FALSE(evaluation->outcomes[4].is_right());
  EXPECT_NEAR(evaluation->outcomes[4].radius_l2, 7.0, kRoundingDown);
}

TEST(EvaluationTest, CountsEverySampleInOneStage) {
  // x_0 = 10 gives a score of exactly 0: a tie, which only exact integers decide.
  const auto evaluation = Evaluate(*CertifiedThresholdModel(),
                                   ThresholdSamples({{15, 0}, {10, 0}, {3, 1}}), kDefaultEpsilons);
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  EXPECT_EQ(evaluation->decided_by_float32 + evaluation->decided_by_float64, 2u);
  EXPECT_EQ(evaluation->decided_by_exact, 1u);
  EXPECT_EQ(evaluation->stages_disagreed, 0u);
  EXPECT_DOUBLE_EQ(evaluation->accuracy, 1.0);
  EXPECT_DOUBLE_EQ(evaluation->certified[0].accuracy, 2.0 / 3.0);
}

TEST(EvaluationTest, TakesTheMiddleRadiusOfAnOddNumber) {
  const auto evaluation = Evaluate(*CertifiedThresholdModel(),
                                   ThresholdSamples({{15, 0}, {12, 0}, {11, 0}}), kDefaultEpsilons);
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  EXPECT_NEAR(evaluation->median_radius_l2, 2.0, kRoundingDown);
}

TEST(EvaluationTest, RefusesImagesOfAnotherShape) {
  Samples samples = SixSamples();
  samples.shape = {1, 2, 1};
  const auto evaluation = Evaluate(*CertifiedThresholdModel(), samples, kDefaultEpsilons);
  EXPECT_THAT(std::string(evaluation.status().message()),
              HasSubstr("expected images of shape [1, 1, 2], the data has [1, 2, 1]"));
}

TEST(EvaluationTest, RefusesOtherClassesNamingBoth) {
  Samples samples = SixSamples();
  samples.class_names = {"low", "high"};  // as many, but not the model's
  const auto evaluation = Evaluate(*CertifiedThresholdModel(), samples, kDefaultEpsilons);
  EXPECT_THAT(std::string(evaluation.status().message()),
              HasSubstr("expected data of the classes high, low, the data has low, high"));
}

TEST(EvaluationTest, NamesItsValuesForTheModelFile) {
  const double epsilons[] = {0.25, 1.0};
  const auto evaluation = Evaluate(*CertifiedThresholdModel(), SixSamples(), epsilons);
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  std::vector<std::string> names;
  for (const v1::NamedValue& value : ToNamedValues(*evaluation)) names.push_back(value.name());
  EXPECT_THAT(names, ElementsAre("accuracy", "certified_accuracy@0.25", "certified_accuracy@1",
                                 "mean_radius_l2", "median_radius_l2", "lipschitz_bound"));
}

TEST(EvaluationTest, TableAndJsonShowTheSameFigures) {
  const double epsilons[] = {2.5};
  const auto evaluation = Evaluate(*CertifiedThresholdModel(), SixSamples(), epsilons);
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  const std::string table = EvaluationTable(*evaluation, {"high", "low"});
  EXPECT_THAT(table, HasSubstr("class is right                 0.6667\n"));
  EXPECT_THAT(table, HasSubstr("and proven within L2 2.5       0.3333\n"));
  const auto json = nlohmann::json::parse(ToLine(ToJson(*evaluation)));
  EXPECT_EQ(json["accuracy"], 4.0 / 6.0);
  EXPECT_EQ(json["certified_accuracy"][0]["epsilon"], 2.5);
  EXPECT_EQ(json["certified_accuracy"][0]["accuracy"], 2.0 / 6.0);
  EXPECT_EQ(json["confusion"][0][1], 1);
}

}  // namespace
}  // namespace lipserve::trainer
