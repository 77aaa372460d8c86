// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/training_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/network/pixel_scaling.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/recipes/recipe_file.h"

namespace lipserve::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Remembers what it was told.
class RecordingObserver : public TrainingObserver {
 public:
  void OnEpochBegin(std::int64_t epoch, std::int64_t epochs, std::int64_t steps) override {
    EXPECT_EQ(epochs, 3);
    EXPECT_EQ(steps, 19);  // 600 samples in batches of 32
    begun.push_back(epoch);
    last_step = 0;
  }
  void OnStep(std::int64_t step, const MetricMeans& means) override {
    EXPECT_EQ(step, last_step + 1);
    last_step = step;
    running = means.Means("");
  }
  void OnEpochEnd(const v1::EpochRecord& record) override {
    EXPECT_EQ(last_step, 19);
    ended.push_back(record);
  }

  std::vector<std::int64_t> begun;
  std::vector<v1::EpochRecord> ended;
  std::vector<Metric> running;
  std::int64_t last_step = 0;
};

class TrainingLoopTest : public ::testing::Test {
 protected:
  TrainingLoopTest() {
    WriteTinyDataset(folder_.path());
    recipe_ = *ParseRecipe(TinyRecipeText(), "tiny");
    dataset_ = *LoadDataset(recipe_.dataset(), folder_.path());
  }

  std::unique_ptr<TrainingLoop> Create() const {
    auto loop = TrainingLoop::Create(recipe_, dataset_);
    EXPECT_TRUE(loop.ok()) << loop.status();
    return *std::move(loop);
  }

  std::string CreationError() const {
    const auto loop = TrainingLoop::Create(recipe_, dataset_);
    EXPECT_EQ(loop.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(loop.status().message());
  }

  const TemporaryFolder folder_;
  v1::Recipe recipe_;
  Dataset dataset_;
};

std::map<std::string, double> MetricsOf(const v1::EpochRecord& record) {
  std::map<std::string, double> metrics;
  for (const v1::NamedValue& metric : record.metrics()) metrics[metric.name()] = metric.value();
  return metrics;
}

std::vector<std::vector<float>> ValuesOf(TrainingLoop& loop) {
  std::vector<std::vector<float>> values;
  for (const NamedArrayReference& array : loop.Arrays()) values.push_back(*array.values);
  return values;
}

TEST_F(TrainingLoopTest, LearnsTheTinyProblem) {
  const auto loop = Create();
  RecordingObserver observer;
  while (!loop->finished()) ASSERT_TRUE(loop->RunEpoch(observer).ok());
  EXPECT_THAT(observer.begun, ElementsAre(1, 2, 3));
  EXPECT_EQ(loop->optimizer().steps, 3 * 19);
  auto first = MetricsOf(loop->history().front());
  auto last = MetricsOf(loop->history().back());
  EXPECT_LT(last["loss"], first["loss"]);
  EXPECT_GT(last["val_KR"], 1.0);
  EXPECT_GT(last["val_accuracy"], 0.95);
}

TEST_F(TrainingLoopTest, NamesItsMetricsInPrintingOrder) {
  const auto loop = Create();
  RecordingObserver observer;
  ASSERT_TRUE(loop->RunEpoch(observer).ok());
  std::vector<std::string> names;
  for (const v1::NamedValue& metric : observer.ended[0].metrics()) names.push_back(metric.name());
  EXPECT_THAT(names, ElementsAre("loss", "KR", "HingeMargin", "accuracy", "val_loss", "val_KR",
                                 "val_HingeMargin", "val_accuracy"));
  EXPECT_EQ(observer.running[0].value, observer.ended[0].metrics(0).value());
}

TEST_F(TrainingLoopTest, DependsOnTheSeedAndNothingElse) {
  RecordingObserver observer;
  const auto first = Create();
  const auto second = Create();
  recipe_.set_seed(8);
  const auto other = Create();
  for (TrainingLoop* loop : {first.get(), second.get(), other.get()}) {
    ASSERT_TRUE(loop->RunEpoch(observer).ok());
  }
  EXPECT_EQ(ValuesOf(*first), ValuesOf(*second));
  EXPECT_NE(ValuesOf(*first), ValuesOf(*other));
}

TEST_F(TrainingLoopTest, ValidatesInFileOrderWithAWeightedLossAndPlainMeansOfTheMetrics) {
  const auto loop = Create();
  RecordingObserver observer;
  ASSERT_TRUE(loop->RunEpoch(observer).ok());
  const PixelScaling scaling(255.0);
  loop->network().PrepareStep(/*training=*/false);
  double loss_sum = 0.0;
  double kr_sum = 0.0;
  double batches = 0.0;
  const std::size_t size = dataset_.validation.size();  // 100: batches of 32, 32, 32, 4
  for (std::size_t begin = 0; begin < size; begin += 32, batches += 1.0) {
    const std::size_t count = std::min<std::size_t>(32, size - begin);
    std::vector<float> values(count * 64);
    const MatrixView inputs{values.data(), count, 64};
    for (std::size_t i = 0; i < count; ++i) {
      scaling.Apply(dataset_.validation.image(begin + i), inputs.row(i));
    }
    const ConstMatrixView scores = loop->network().Forward(inputs);
    const auto labels = std::span(dataset_.validation.labels).subspan(begin, count);
    loss_sum += static_cast<double>(count) * loop->loss().Evaluate({scores, labels}, {});
    kr_sum += loop->loss().Metrics(scores, labels)[0].value;
  }
  auto metrics = MetricsOf(observer.ended[0]);
  EXPECT_DOUBLE_EQ(metrics["val_loss"], loss_sum / static_cast<double>(size));
  EXPECT_DOUBLE_EQ(metrics["val_KR"], kr_sum / batches);
}

TEST_F(TrainingLoopTest, RefusesANetworkWithAnotherNumberOfScoresThanClasses) {
  recipe_.mutable_layers(3)->mutable_frobenius_dense()->set_units(3);
  EXPECT_THAT(CreationError(), HasSubstr("for the 2 classes of the data, got 3"));
}

TEST_F(TrainingLoopTest, RefusesWrongLayersLossAndOptimizerNamingTheField) {
  const v1::Recipe good = recipe_;
  recipe_.mutable_layers(2)->mutable_group_sort()->set_group_size(3);
  EXPECT_THAT(CreationError(), HasSubstr("group_size"));
  recipe_ = good;
  recipe_.mutable_layers(1)->mutable_spectral_dense()->set_units(0);
  EXPECT_THAT(CreationError(), HasSubstr("units"));
  recipe_ = good;
  recipe_.mutable_loss()->mutable_hkr()->clear_margin_convention();
  EXPECT_THAT(CreationError(), HasSubstr("margin_convention"));
  recipe_ = good;
  recipe_.mutable_loss()->mutable_hkr()->set_alpha(-1.0);
  EXPECT_THAT(CreationError(), HasSubstr("alpha"));
  recipe_ = good;
  recipe_.mutable_optimizer()->mutable_adam()->set_learning_rate(0.0);
  EXPECT_THAT(CreationError(), HasSubstr("learning_rate"));
}

TEST_F(TrainingLoopTest, StopsAtTheFirstLossThatIsNotFiniteNamingTheStep) {
  recipe_.mutable_optimizer()->mutable_adam()->set_learning_rate(1e38);
  const auto loop = Create();
  RecordingObserver observer;
  const absl::Status status = loop->RunEpoch(observer);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("epoch 1, step "), HasSubstr("lower optimizer.adam.learning_rate")));
  EXPECT_TRUE(observer.ended.empty());
  EXPECT_TRUE(loop->history().empty());
}

TEST(MetricMeansTest, WeighsTheLossBySamplesAndTheMetricsByBatches) {
  MetricMeans means;
  means.Add(1.0, 3, std::vector<Metric>{{"KR", 10.0}, {"accuracy", 0.5}});
  means.Add(5.0, 1, std::vector<Metric>{{"KR", 20.0}, {"accuracy", 1.0}});
  const std::vector<Metric> result = means.Means("val_");
  ASSERT_EQ(result.size(), 3u);
  EXPECT_EQ(result[0].name, "val_loss");
  EXPECT_DOUBLE_EQ(result[0].value, 2.0);
  EXPECT_EQ(result[1].name, "val_KR");
  EXPECT_DOUBLE_EQ(result[1].value, 15.0);
  EXPECT_DOUBLE_EQ(result[2].value, 0.75);
}

}  // namespace
}  // namespace lipserve::trainer
