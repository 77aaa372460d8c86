// SPDX-License-Identifier: Apache-2.0
// What a recipe may add to plain training: schedules, other optimisers, averaged weights,
// selection. Each must survive a resumption to the byte.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "model/network/model_file.h"
#include "tests/trainer/tiny_training.h"
#include "trainer/recipes/recipe_file.h"
#include "trainer/run/training_run.h"

namespace lipserve::trainer {
namespace {

using ::testing::HasSubstr;

class TrainingOptionsTest : public ::testing::Test, protected TinyTraining {
 protected:
  TrainingOptionsTest() : TinyTraining(TinyRecipeText()) {}

  // The tiny recipe with lines added to its loss and to itself.
  void Use(const std::string& loss, const std::string& recipe,
           const std::string& optimizer = "adam { learning_rate: 0.01 }") {
    std::string text = TinyRecipeText() + recipe;
    Replace(text, "loss {", "loss { " + loss);
    Replace(text, "adam { learning_rate: 0.01 }", optimizer);
    auto parsed = ParseRecipe(text, "tiny");
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    options_.recipe = *std::move(parsed);
  }

  static void Replace(std::string& text, const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
  }

  std::string StartError() const {
    const auto run = TrainingRun::Start(options_);
    EXPECT_FALSE(run.ok());
    return std::string(run.status().message());
  }

  static std::map<std::string, double> MetricsOf(const v1::EpochRecord& record) {
    std::map<std::string, double> metrics;
    for (const v1::NamedValue& metric : record.metrics()) metrics[metric.name()] = metric.value();
    return metrics;
  }
};

TEST_F(TrainingOptionsTest, EveryOptimizerResumesToTheByte) {
  int number = 0;
  for (const std::string optimizer : {"nadam { learning_rate: 0.01 } clip_norm: 0.5",
                                      "sgd { learning_rate: 0.1 momentum: 0.9 nesterov: true }",
                                      "adam { learning_rate: 0.01 } lookahead { period: 7 }",
                                      "adam { learning_rate: 0.01 } weight_average_decay: 0.95"}) {
    SCOPED_TRACE(optimizer);
    options_.out_folder = folder_.path(std::to_string(++number));
    Use("", "", optimizer);
    ExpectResumingGivesTheSameBytes({1, 2});
  }
}

TEST_F(TrainingOptionsTest, EveryOrthogonalMethodCertifiesAndResumesToTheByte) {
  for (const std::string method : {"CHOLESKY", "CAYLEY", "BLOCK_REFLECTOR"}) {
    SCOPED_TRACE(method);
    std::string text = TinyRecipeText();
    Replace(text, "units: 8", "units: 8 method: ORTHOGONAL_METHOD_" + method);
    options_.recipe = *ParseRecipe(text, "tiny");
    options_.out_folder = folder_.path(method);
    ExpectResumingGivesTheSameBytes({1, 2});
    const auto model = ReadModelFile(model_path());
    ASSERT_TRUE(model.ok()) << model.status();
    const auto& dense = std::get<DenseLayer>(model->network.layers[1]);
    EXPECT_NEAR(dense.claimed_operator_norm_bound, 1.0, 1e-6);
    for (const v1::NamedValue& result : model->training.results()) {
      if (result.name() == "accuracy") {
        EXPECT_GT(result.value(), 0.9);
      }
    }
  }
}

TEST_F(TrainingOptionsTest, SchedulesResumeToTheByte) {
  Use("schedules { parameter: 'alpha' schedule { linear { from: 0.1 to: 1 } } } "
      "schedules { parameter: 'min_margin' schedule { cosine { to: 0.5 } } }",
      "", "adam { learning_rate: 0.02 } learning_rate_schedule { one_cycle {} warmup: 0.1 }");
  ExpectResumingGivesTheSameBytes({1, 2});
}

TEST_F(TrainingOptionsTest, SelectionAndAverageResumeToTheByte) {
  // KR grows with training: the lowest is the first, before the resumption, the highest the last.
  for (const std::string goal : {"LOWEST", "HIGHEST"}) {
    SCOPED_TRACE(goal);
    options_.out_folder = folder_.path(goal);
    Use("", "selection { metric: 'val_KR' goal: SELECTION_GOAL_" + goal + " }",
        "adam { learning_rate: 0.01 } weight_average_decay: 0.9");
    ExpectResumingGivesTheSameBytes({1, 2});
  }
}

TEST_F(TrainingOptionsTest, AScheduleThatEndsAtZeroFreezesTheWeights) {
  Use("", "",
      "adam { learning_rate: 0.01 } learning_rate_schedule { points { "
      "point { at: 0.333 factor: 1 } point { at: 0.333 factor: 0 } } }");
  const auto run = Start();
  ASSERT_TRUE(run->loop().RunEpoch(observer_).ok());
  const std::vector<float> after_one = run->loop().network().Parameters()[0]->values;
  while (!run->loop().finished()) ASSERT_TRUE(run->loop().RunEpoch(observer_).ok());
  EXPECT_EQ(run->loop().network().Parameters()[0]->values, after_one);
}

TEST_F(TrainingOptionsTest, LossParametersFollowTheirSchedule) {
  Use("schedules { parameter: 'min_margin' schedule { linear { from: 1 to: 3 } } }", "");
  const auto run = Start();
  ASSERT_TRUE(run->loop().RunEpoch(observer_).ok());
  // After the last of 19 steps of 57: 1 + 2 * 18 / 57.
  EXPECT_THAT(run->loop().loss().description(), HasSubstr("min_margin=1.63158,"));
}

TEST_F(TrainingOptionsTest, AveragedWeightsAreValidatedAndBecomeTheModel) {
  Use("", "", "adam { learning_rate: 0.01 } weight_average_decay: 0.95");
  const auto run = Start();
  ASSERT_TRUE(run->Train(observer_).ok());
  TrainingLoop& loop = run->loop();
  const std::vector<float> trained = loop.network().Parameters()[0]->values;
  loop.InstallResult();
  const std::vector<float> averaged = loop.network().Parameters()[0]->values;
  EXPECT_NE(trained, averaged);
  loop.InstallResult();
  EXPECT_EQ(loop.network().Parameters()[0]->values, averaged);
  const auto frozen = run->Finish({});
  ASSERT_TRUE(frozen.ok()) << frozen.status();
  EXPECT_NEAR(frozen->evaluation.accuracy, MetricsOf(loop.history().back())["val_accuracy"], 0.02);
}

TEST_F(TrainingOptionsTest, TheBestEpochBecomesTheModel) {
  // KR grows with training, so the epoch where it is lowest is the first.
  Use("", "selection { metric: 'val_KR' goal: SELECTION_GOAL_LOWEST }");
  const auto run = RunToTheEnd().run;
  EXPECT_EQ(run->loop().epochs_done(), 3);
  EXPECT_EQ(run->loop().result_record().epoch(), 1);
  const std::vector<float> best = run->loop().network().Parameters()[0]->values;
  options_.out_folder = folder_.path("one epoch");
  const auto one = Start();
  ASSERT_TRUE(one->loop().RunEpoch(observer_).ok());
  EXPECT_EQ(one->loop().network().Parameters()[0]->values, best);
}

TEST_F(TrainingOptionsTest, StopsEarlyAndFreezesWhatItStoppedWith) {
  Use("", "selection { metric: 'val_KR' goal: SELECTION_GOAL_LOWEST patience: 1 }");
  const auto run = RunToTheEnd().run;
  EXPECT_TRUE(run->loop().stopped_early());
  EXPECT_EQ(run->loop().epochs_done(), 2);
  EXPECT_EQ(run->loop().result_record().epoch(), 1);
}

TEST_F(TrainingOptionsTest, ValidationEstimatesWhatTheFrozenModelCertifies) {
  Use("", "validation_epsilons: [0.25, 0.5]");
  const auto [run, frozen] = RunToTheEnd();
  auto metrics = MetricsOf(run->loop().history().back());
  // Plain means over batches of 32, 32, 32 and 4 against the mean over 100.
  ASSERT_EQ(frozen.evaluation.certified[0].epsilon, 0.25);
  EXPECT_NEAR(metrics["val_certified_estimate@0.25"], frozen.evaluation.certified[0].accuracy,
              0.06);
  EXPECT_LE(metrics["val_certified_estimate@0.5"], metrics["val_certified_estimate@0.25"]);
}

TEST_F(TrainingOptionsTest, RefusesSchedulesThatCannotBe) {
  Use("schedules { parameter: 'alhpa' schedule { constant {} } }", "");
  EXPECT_THAT(StartError(),
              HasSubstr("loss.schedules[0].parameter: expected a number of HKR(alpha=10, "
                        "min_margin=1, full margin) (alpha, min_margin), got \"alhpa\"; did you "
                        "mean \"alpha\"?"));
  Use("schedules { parameter: 'min_margin' schedule { linear { from: 1 } } }", "");
  EXPECT_THAT(StartError(),
              HasSubstr("loss.schedules[0].schedule: expected min_margin to stay in"));
  Use("schedules { parameter: 'alpha' schedule { constant {} } } "
      "schedules { parameter: 'alpha' schedule { constant {} } }",
      "");
  EXPECT_THAT(StartError(), HasSubstr("expected each number once, got \"alpha\" twice"));
  Use("", "", "adam { learning_rate: 0.01 } learning_rate_schedule { cosine { to: -1 } }");
  EXPECT_THAT(StartError(), HasSubstr("optimizer.learning_rate_schedule.cosine.to: expected"));
  Use("", "selection { metric: 'val_loss' }");
  EXPECT_THAT(StartError(), HasSubstr("selection.goal: expected"));
}

}  // namespace
}  // namespace lipserve::trainer
