// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/selection.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace lipserve::trainer {
namespace {

using testing::HasSubstr;

absl::StatusOr<Selection> Create(const std::string& text) {
  v1::SelectionSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  return Selection::Create(spec, {"val_loss", "val_accuracy"});
}

std::vector<v1::EpochRecord> History(const std::string& metric, const std::vector<double>& values) {
  std::vector<v1::EpochRecord> history;
  for (const double value : values) {
    v1::EpochRecord record;
    v1::NamedValue& named = *record.add_metrics();
    named.set_name(metric);
    named.set_value(value);
    history.push_back(record);
  }
  return history;
}

TEST(SelectionTest, BestIsTheEarliestOfTheBest) {
  const auto highest = Create("metric: 'val_accuracy' goal: SELECTION_GOAL_HIGHEST");
  EXPECT_EQ(highest->Best(History("val_accuracy", {0.5, 0.9, 0.7, 0.9})), 1U);
  const auto lowest = Create("metric: 'val_loss' goal: SELECTION_GOAL_LOWEST");
  EXPECT_EQ(lowest->Best(History("val_loss", {0.5, -0.9, 0.7})), 1U);
}

TEST(SelectionTest, ImprovementsThatAreTooSmallDoNotCount) {
  const auto selection =
      Create("metric: 'val_accuracy' goal: SELECTION_GOAL_HIGHEST min_improvement: 0.125");
  EXPECT_EQ(selection->Best(History("val_accuracy", {0.5, 0.625})), 0U);
  EXPECT_EQ(selection->Best(History("val_accuracy", {0.5, 0.75})), 1U);
}

TEST(SelectionTest, StopsAfterPatienceEpochsThatAreNoBetter) {
  const auto selection = Create("metric: 'val_accuracy' goal: SELECTION_GOAL_HIGHEST patience: 2");
  EXPECT_FALSE(selection->ShouldStop({}));
  EXPECT_FALSE(selection->ShouldStop(History("val_accuracy", {0.9, 0.5})));
  EXPECT_TRUE(selection->ShouldStop(History("val_accuracy", {0.9, 0.5, 0.9})));
  EXPECT_FALSE(selection->ShouldStop(History("val_accuracy", {0.9, 0.5, 0.91})));
  const auto patient = Create("metric: 'val_accuracy' goal: SELECTION_GOAL_HIGHEST");
  EXPECT_FALSE(patient->ShouldStop(History("val_accuracy", std::vector<double>(99, 0.5))));
}

TEST(SelectionTest, RefusesWrongFieldsByName) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"metric: 'val_acuracy' goal: SELECTION_GOAL_HIGHEST",
       "selection.metric: expected one of val_loss, val_accuracy, got \"val_acuracy\"; did you "
       "mean "
       "\"val_accuracy\"?"},
      {"metric: 'val_loss'", "selection.goal: expected SELECTION_GOAL_HIGHEST"},
      {"metric: 'val_loss' goal: SELECTION_GOAL_LOWEST patience: -1", "selection.patience:"},
      {"metric: 'val_loss' goal: SELECTION_GOAL_LOWEST min_improvement: nan",
       "selection.min_improvement:"},
  };
  for (const auto& [text, message] : cases) {
    const auto selection = Create(text);
    ASSERT_FALSE(selection.ok()) << text;
    EXPECT_THAT(std::string(selection.status().message()), HasSubstr(message));
  }
}

}  // namespace
}  // namespace lipserve::trainer
