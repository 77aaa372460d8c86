// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"

namespace lipserve::trainer {
namespace {

using ::testing::HasSubstr;

// An epoch of ten steps of 20 ms each; the clock moves only when the test says so.
class ProgressTest : public ::testing::Test {
 protected:
  std::string RunEpoch(ProgressStyle style, std::size_t columns = 0) {
    std::ostringstream out;
    const auto progress = Progress::Create(
        style, out, [this] { return now_; }, [columns] { return columns; });
    progress->OnEpochBegin(2, 5, 10);
    MetricMeans means;
    for (std::int64_t step = 1; step <= 10; ++step) {
      now_ += std::chrono::milliseconds(20);
      means.Add(-1.5, 32, std::vector<Metric>{{"KR", 2.0}});
      progress->OnStep(step, means);
    }
    v1::EpochRecord record;
    record.set_epoch(2);
    for (const auto& [name, value] : {std::pair("loss", -1.5), std::pair("val_KR", 3.25)}) {
      v1::NamedValue& metric = *record.add_metrics();
      metric.set_name(name);
      metric.set_value(value);
    }
    progress->OnEpochEnd(record);
    seconds_ = progress->epoch_seconds();
    return out.str();
  }

  std::chrono::steady_clock::time_point now_;
  std::vector<double> seconds_;
};

TEST_F(ProgressTest, LinesAreOnePerEpoch) {
  EXPECT_EQ(RunEpoch(ProgressStyle::kLines),
            "Epoch 2/5 - 0.20s - loss: -1.5000 - val_KR: 3.2500\n");
}

TEST_F(ProgressTest, JsonIsOneObjectPerEpoch) {
  const std::string text = RunEpoch(ProgressStyle::kJson);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["event"], "epoch");
  EXPECT_EQ(json["epoch"], 2);
  EXPECT_EQ(json["epochs"], 5);
  EXPECT_EQ(json["loss"], -1.5);
  EXPECT_EQ(json["val_KR"], 3.25);
  EXPECT_NEAR(json["seconds"].get<double>(), 0.2, 1e-9);
}

TEST_F(ProgressTest, BarIsRedrawnInPlaceAndNotAtEveryStep) {
  const std::string text = RunEpoch(ProgressStyle::kBar);
  // Ten steps in 200 ms: drawn at 20, 80, 140 and 200 ms, and at the end.
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 5);
  EXPECT_EQ(text.find("Epoch 2/5\n"), 0u);
  EXPECT_THAT(text,
              HasSubstr("\r 4/10 [============>.................] - ETA: 0s - loss: -1.5000"));
  EXPECT_THAT(text, HasSubstr("\r10/10 [==============================] - 0.20s 20.00ms/step - "
                              "loss: -1.5000 - val_KR: 3.2500"));
  EXPECT_EQ(text.back(), '\n');
}

TEST_F(ProgressTest, NoLineOfTheBarReachesTheLastColumnOfTheTerminal) {
  for (const std::size_t columns : {20U, 40U, 60U, 80U, 100U}) {
    const std::string text = RunEpoch(ProgressStyle::kBar, columns);
    for (const std::string& line :
         std::vector<std::string>(absl::StrSplit(text, absl::ByAnyChar("\r\n")))) {
      EXPECT_LT(line.size(), columns) << line;
    }
  }
}

TEST_F(ProgressTest, ANarrowTerminalGetsEveryMetricOfTheEpochOnFurtherLines) {
  EXPECT_THAT(RunEpoch(ProgressStyle::kBar, 60),
              HasSubstr("\r10/10 [==========] - 0.20s 20.00ms/step - loss: -1.5000  \n"
                        "  - val_KR: 3.2500\n"));
}

TEST_F(ProgressTest, MeasuresEachEpoch) {
  RunEpoch(ProgressStyle::kLines);
  ASSERT_EQ(seconds_.size(), 1u);
  EXPECT_NEAR(seconds_[0], 0.2, 1e-9);
}

}  // namespace
}  // namespace lipserve::trainer
