// SPDX-License-Identifier: Apache-2.0
// More than two classes from data to a certified model, with every loss that takes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/network/model_file.h"
#include "tests/trainer/tiny_training.h"

namespace lipserve::trainer {
namespace {

constexpr char kSoftHkr[] =
    "soft_hkr { alpha: 0.9 alpha_convention: ALPHA_CONVENTION_CONVEX min_margin: 0.3 "
    "margin_convention: MARGIN_CONVENTION_FULL temperature: 4 mean_decay: 0.9 }";
constexpr char kCertifiedCrossEntropy[] =
    "offset_cross_entropy { offset: 0.3 temperature: 0.1 margins: MARGIN_KIND_CERTIFIED }";

class MulticlassTrainingTest : public ::testing::TestWithParam<std::string>,
                               protected TinyTraining {
 protected:
  MulticlassTrainingTest() : TinyTraining(TinyMulticlassRecipeText(GetParam())) {}
};

TEST_P(MulticlassTrainingTest, LearnsThreeClassesAndCertifiesThem) {
  const Evaluation evaluation = RunToTheEnd().frozen.evaluation;
  EXPECT_EQ(evaluation.samples, 150U);
  EXPECT_EQ(evaluation.confusion.size(), 3U);
  // Chance is 1/3. EMMA, made for heads without constraint, reaches 0.75; the others 0.9 and more.
  EXPECT_GT(evaluation.accuracy, 0.7);
  EXPECT_GT(evaluation.certified[0].accuracy, 0.5);  // at 0.25
  EXPECT_EQ(evaluation.stages_disagreed, 0U);
  const auto model = ReadModelFile(model_path());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->class_labels, (std::vector<std::string>{"left", "right", "neither"}));
}

TEST_P(MulticlassTrainingTest, ResumingGivesTheBytesOfTheUninterruptedRun) {
  ExpectResumingGivesTheSameBytes({1});
}

INSTANTIATE_TEST_SUITE_P(
    EveryLoss, MulticlassTrainingTest,
    ::testing::Values(
        "multiclass_hkr { alpha: 10 alpha_convention: ALPHA_CONVENTION_HINGE_WEIGHT min_margin: "
        "0.4 "
        "margin_convention: MARGIN_CONVENTION_HALF }",
        "multiclass_hinge { min_margin: 0.4 margin_convention: MARGIN_CONVENTION_FULL }", kSoftHkr,
        "lse_hkr { alpha: 0.9 alpha_convention: ALPHA_CONVENTION_CONVEX min_margin: 0.4 "
        "margin_convention: MARGIN_CONVENTION_HALF temperature: 2 }",
        "multi_margin { min_margin: 0.4 }", "categorical_hinge { min_margin: 0.4 }",
        "tau_cross_entropy { tau: 5 }", kCertifiedCrossEntropy,
        "margin_hinge { margin: 0.4 margins: MARGIN_KIND_CERTIFIED over: HINGE_OVER_WORST }",
        "emma { epsilon: 0.2 }",
        "logit_annealing { offset: 0.3 temperature: 0.2 power: 2 epsilon: 0.1 }"),
    [](const auto& test) {
      return test.param.substr(0, test.param.find(' ')) + std::to_string(test.index);
    });

}  // namespace
}  // namespace lipserve::trainer
