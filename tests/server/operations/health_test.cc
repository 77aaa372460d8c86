// SPDX-License-Identifier: Apache-2.0
#include "server/operations/health.h"

#include <gtest/gtest.h>

#include <optional>

namespace lipserve {
namespace {

TEST(HealthTest, AnswersWhileServingAndDrainingOnly) {
  Health health;
  EXPECT_TRUE(absl::IsUnavailable(health.CheckAnswering()));
  health.Enter(ServingPhase::kServing);
  EXPECT_TRUE(health.CheckAnswering().ok());
  health.Enter(ServingPhase::kDraining);
  EXPECT_TRUE(health.CheckAnswering().ok());
  health.Enter(ServingPhase::kRefusing);
  EXPECT_TRUE(absl::IsUnavailable(health.CheckAnswering()));
}

TEST(HealthTest, TheWholeServerAndEachServiceServeOnlyWhileServing) {
  Health health({"pkg.Service"});
  const auto expect = [&](bool serving) {
    EXPECT_EQ(health.statuses().Of(""), serving);
    EXPECT_EQ(health.statuses().Of("pkg.Service"), serving);
  };
  expect(false);
  health.Enter(ServingPhase::kServing);
  expect(true);
  health.Enter(ServingPhase::kDraining);
  expect(false);
  EXPECT_EQ(health.statuses().Of("pkg.Other"), std::nullopt);
}

TEST(HealthTest, EachModelServesUnderItsNameWhileTheServerDoes) {
  Health health;
  health.SetModels({{"a", true}, {"b", false}}, /*enough=*/true);
  EXPECT_EQ(health.statuses().Of("a"), false);
  health.Enter(ServingPhase::kServing);
  EXPECT_EQ(health.statuses().Of("a"), true);
  EXPECT_EQ(health.statuses().Of("b"), false);
  health.Enter(ServingPhase::kDraining);
  EXPECT_EQ(health.statuses().Of("a"), false);
}

TEST(HealthTest, AModelThatIsGoneIsNotServing) {
  Health health;
  health.Enter(ServingPhase::kServing);
  health.SetModels({{"a", true}}, /*enough=*/true);
  health.SetModels({}, /*enough=*/true);
  EXPECT_EQ(health.statuses().Of("a"), false);
}

TEST(HealthTest, AModelNamedLikeAServiceDoesNotSpeakForIt) {
  Health health({"pkg.Service"});
  health.Enter(ServingPhase::kServing);
  health.SetModels({{"pkg.Service", false}}, /*enough=*/true);
  EXPECT_EQ(health.statuses().Of("pkg.Service"), true);
}

TEST(HealthTest, IsNotReadyWithoutEnoughModels) {
  Health health;
  health.Enter(ServingPhase::kServing);
  EXPECT_TRUE(health.IsReady());
  health.SetModels({}, /*enough=*/false);
  EXPECT_FALSE(health.IsReady());
  EXPECT_EQ(health.Describe(), "not ready: no model is served");
  EXPECT_TRUE(health.CheckAnswering().ok());  // the call learns which model is missing
}

}  // namespace
}  // namespace lipserve
