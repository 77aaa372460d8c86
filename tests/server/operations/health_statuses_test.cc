// SPDX-License-Identifier: Apache-2.0
#include "server/operations/health_statuses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace lipserve {
namespace {

using ::testing::ElementsAre;

class Recorder final : public HealthStatuses::Watcher {
 public:
  void OnStatus(std::optional<bool> serving) override {
    told.emplace_back(!serving.has_value() ? "unknown" : *serving ? "serving" : "not serving");
  }
  void OnEnd() override { told.emplace_back("end"); }

  std::vector<std::string> told;
};

TEST(HealthStatusesTest, AWatcherIsToldAtOnceAndOfEachChangeOfItsServiceOnly) {
  HealthStatuses statuses;
  Recorder watcher;
  statuses.Add("a", watcher);
  statuses.Set("a", false);
  statuses.Set("b", true);
  statuses.Set("a", false);
  statuses.Set("a", true);
  EXPECT_THAT(watcher.told, ElementsAre("unknown", "not serving", "serving"));
}

TEST(HealthStatusesTest, AWatcherThatWasRemovedHearsNothing) {
  HealthStatuses statuses;
  Recorder watcher;
  statuses.Add("a", watcher);
  statuses.Remove(watcher);
  statuses.Remove(watcher);
  statuses.Set("a", true);
  statuses.End();
  EXPECT_THAT(watcher.told, ElementsAre("unknown"));
}

TEST(HealthStatusesTest, AfterTheEndNothingChanges) {
  HealthStatuses statuses;
  statuses.Set("a", true);
  Recorder before;
  statuses.Add("a", before);
  statuses.End();
  statuses.Set("a", false);
  Recorder after;
  statuses.Add("a", after);
  EXPECT_THAT(before.told, ElementsAre("serving", "end"));
  EXPECT_THAT(after.told, ElementsAre("serving", "end"));
  EXPECT_EQ(statuses.Get("a"), true);
}

}  // namespace
}  // namespace lipserve
