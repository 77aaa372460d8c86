// SPDX-License-Identifier: Apache-2.0
#include "trainer/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "tests/trainer/threshold_model.h"
#include "trainer/data/published_results.h"
#include "trainer/evaluation/json_lines.h"

namespace lipserve::trainer {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// The threshold model, with a label that must be escaped.
class ReportTest : public ::testing::Test {
 protected:
  ReportTest() {
    model_.class_labels = {"high", "</script><b>low"};
    model_.training.mutable_recipe()->mutable_dataset()->set_published_as("mnist");
    Samples samples = SixSamples();
    samples.class_names = model_.class_labels;
    dataset_.train = samples;
    dataset_.validation = std::move(samples);
    v1::EpochRecord& record = history_.emplace_back();
    record.set_epoch(1);
    v1::NamedValue& metric = *record.add_metrics();
    metric.set_name("val_loss");
    metric.set_value(0.5);
  }

  Json Data() {
    const auto certified = *CertifiedModel::Create(model_, 4);
    const double epsilons[] = {2.5};
    evaluation_ = *Evaluate(*certified, dataset_.validation, epsilons);
    const double seconds[] = {1.5};
    return ReportData({.model = model_,
                       .evaluation = evaluation_,
                       .layer_lipschitz_bounds = certified->layer_lipschitz_bounds(),
                       .dataset = dataset_,
                       .history = history_,
                       .model_epoch = 1,
                       .threads = 1,
                       .epoch_seconds = seconds});
  }

  FrozenModel model_ = ThresholdModel();
  Dataset dataset_;
  std::vector<v1::EpochRecord> history_;
  Evaluation evaluation_;
};

TEST_F(ReportTest, TheCurveStartsAtTheAccuracyAndFallsToZero) {
  const Json curve = Data()["certified_curve"];
  EXPECT_EQ(curve.front()[0], 0.0);
  EXPECT_EQ(curve.front()[1], evaluation_.accuracy);
  EXPECT_EQ(curve.back()[1], 0.0);
  for (std::size_t i = 1; i < curve.size(); ++i) {
    ASSERT_GT(curve[i][0], curve[i - 1][0]);
    ASSERT_LE(curve[i][1], curve[i - 1][1]);
    // Just what the certificate says of the four right answers.
    const double epsilon = curve[i][0];
    const int certified = (epsilon <= 1) + (epsilon <= 2) + (epsilon <= 3) + (epsilon <= 5);
    ASSERT_NEAR(curve[i][1].get<double>(), certified / 6.0, 1e-9) << epsilon;
  }
}

TEST_F(ReportTest, TheHistogramCountsEveryAnswerOnce) {
  const Json histogram = Data()["radius_histogram"];
  const auto total = [](const Json& counts) {
    const auto numbers = counts.get<std::vector<int>>();
    return std::accumulate(numbers.begin(), numbers.end(), 0);
  };
  EXPECT_EQ(total(histogram["right"]), 4);
  EXPECT_EQ(total(histogram["wrong"]), 2);
  EXPECT_EQ(histogram["wrong"].back(), 1);  // of radius 7, the largest
}

TEST_F(ReportTest, GalleriesAreInTheOrderOfTheRadii) {
  const Json images = Data()["images"];
  const auto indices = [](const Json& gallery) {
    std::vector<int> found;
    for (const Json& image : gallery) found.push_back(image["index"]);
    return found;
  };
  EXPECT_EQ(indices(images["least_robust"]), (std::vector<int>{3, 1, 2, 0}));
  EXPECT_EQ(indices(images["most_robust"]), (std::vector<int>{0, 2, 1, 3}));
  EXPECT_EQ(indices(images["mistakes"]), (std::vector<int>{4, 5}));
  EXPECT_THAT(images["mistakes"][0]["png"].get<std::string>(),
              StartsWith("data:image/png;base64,iVBOR"));
}

TEST_F(ReportTest, ThePageHoldsEverythingAndLoadsNothing) {
  const std::string page = ReportPage(Data());
  EXPECT_THAT(page, HasSubstr("Chart.js v"));
  EXPECT_THAT(page, HasSubstr("Released under the MIT License"));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  EXPECT_THAT(page, HasSubstr("\"threshold\""));
  EXPECT_THAT(page, Not(HasSubstr("{{")));
  for (const char* loading : {"src=\"http", "href=\"", "@import", "<link", "url("}) {
    EXPECT_THAT(page, Not(HasSubstr(loading)));
  }
}

TEST_F(ReportTest, ALabelCannotEndTheScriptThatHoldsIt) {
  const std::string page = ReportPage(Data());
  EXPECT_THAT(page, Not(HasSubstr("</script><b>low")));
  EXPECT_THAT(page, HasSubstr("\\u003c/script\\u003e\\u003cb\\u003elow"));
}

TEST_F(ReportTest, ShowsThePublishedResultsOfItsDatasetOnly) {
  EXPECT_EQ(Data()["published"]["title"], "MNIST");
  model_.training.mutable_recipe()->mutable_dataset()->clear_published_as();
  EXPECT_TRUE(Data()["published"].is_null());
}

TEST(PublishedResultsTest, EveryPointSaysWhatHowMuchAndWhere) {
  const std::vector<std::string> datasets = PublishedDatasets();
  EXPECT_THAT(datasets, Contains("cifar-10"));
  for (const std::string& name : datasets) {
    const Json results = PublishedResults(name);
    EXPECT_FALSE(results["title"].get<std::string>().empty());
    for (const Json& point : results["points"]) {
      EXPECT_FALSE(point["method"].get<std::string>().empty());
      EXPECT_FALSE(point["source"].get<std::string>().empty());
      EXPECT_GE(point["epsilon"].get<double>(), 0.0);
      EXPECT_GT(point["accuracy"].get<double>(), 0.0);
      EXPECT_LT(point["accuracy"].get<double>(), 1.0);
    }
  }
}

}  // namespace
}  // namespace lipserve::trainer
