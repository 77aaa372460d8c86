// SPDX-License-Identifier: Apache-2.0
#include "server/operations/health.h"

#include <gtest/gtest.h>

#include <optional>

namespace lipserve {
namespace {

TEST(HealthTest, AnswersWhileServingAndDrainingOnly) {
  Health health;
  EXPECT_TRUE(absl::IsUnavailable(health.CheckAcceptsCalls()));
  health.SetPhase(ServingPhase::kServing);
  EXPECT_TRUE(health.CheckAcceptsCalls().ok());
  health.SetPhase(ServingPhase::kDraining);
  EXPECT_TRUE(health.CheckAcceptsCalls().ok());
  health.SetPhase(ServingPhase::kRefusing);
  EXPECT_TRUE(absl::IsUnavailable(health.CheckAcceptsCalls()));
}

TEST(HealthTest, TheWholeServerAndEachServiceServeOnlyWhileServing) {
  Health health({"pkg.Service"});
  const auto expect = [&](bool serving) {
    EXPECT_EQ(health.statuses().Get(""), serving);
    EXPECT_EQ(health.statuses().Get("pkg.Service"), serving);
  };
  expect(false);
  health.SetPhase(ServingPhase::kServing);
  expect(true);
  health.SetPhase(ServingPhase::kDraining);
  expect(false);
  EXPECT_EQ(health.statuses().Get("pkg.Other"), std::nullopt);
}

TEST(HealthTest, EachModelServesUnderItsNameWhileTheServerDoes) {
  Health health;
  health.SetModels({{"a", true}, {"b", false}}, /*enough=*/true);
  EXPECT_EQ(health.statuses().Get("a"), false);
  health.SetPhase(ServingPhase::kServing);
  EXPECT_EQ(health.statuses().Get("a"), true);
  EXPECT_EQ(health.statuses().Get("b"), false);
  health.SetPhase(ServingPhase::kDraining);
  EXPECT_EQ(health.statuses().Get("a"), false);
}

TEST(HealthTest, AModelThatIsGoneIsNotServing) {
  Health health;
  health.SetPhase(ServingPhase::kServing);
  health.SetModels({{"a", true}}, /*enough=*/true);
  health.SetModels({}, /*enough=*/true);
  EXPECT_EQ(health.statuses().Get("a"), false);
}

TEST(HealthTest, AModelNamedLikeAServiceDoesNotSpeakForIt) {
  Health health({"pkg.Service"});
  health.SetPhase(ServingPhase::kServing);
  health.SetModels({{"pkg.Service", false}}, /*enough=*/true);
  EXPECT_EQ(health.statuses().Get("pkg.Service"), true);
}

TEST(HealthTest, IsNotReadyWithoutEnoughModels) {
  Health health;
  health.SetPhase(ServingPhase::kServing);
  EXPECT_TRUE(health.IsReady());
  health.SetModels({}, /*enough=*/false);
  EXPECT_FALSE(health.IsReady());
  EXPECT_EQ(health.Describe(), "not ready: no model is served");
  EXPECT_TRUE(health.CheckAcceptsCalls().ok());  // the call learns which model is missing
}

}  // namespace
}  // namespace lipserve
