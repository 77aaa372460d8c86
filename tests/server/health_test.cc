// SPDX-License-Identifier: Apache-2.0
#include "server/health.h"

#include <gmock/gmock.h>
#include <grpcpp/health_check_service_interface.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace lipserve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class FakeHealthService final : public grpc::HealthCheckServiceInterface {
 public:
  void SetServingStatus(const std::string& service, bool serving) override {
    statuses[service] = serving;
    ++reports;
  }
  // gRPC's sets every service at once, and so would overrule what was said of one model.
  void SetServingStatus(bool /*serving*/) override { FAIL(); }

  std::map<std::string, bool> statuses;
  int reports = 0;
};

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

TEST(HealthTest, ReportsTheWholeServerAndEachServiceAsServingOnlyWhileServing) {
  FakeHealthService service;
  Health health;
  health.ReportTo(&service, {"pkg.Service"});
  EXPECT_THAT(service.statuses, ElementsAre(Pair("", false), Pair("pkg.Service", false)));
  health.Enter(ServingPhase::kServing);
  EXPECT_THAT(service.statuses, ElementsAre(Pair("", true), Pair("pkg.Service", true)));
  health.Enter(ServingPhase::kDraining);
  EXPECT_THAT(service.statuses, ElementsAre(Pair("", false), Pair("pkg.Service", false)));
}

TEST(HealthTest, LetsGoOfTheServiceOnceRefusing) {
  FakeHealthService service;
  Health health;
  health.ReportTo(&service, {"pkg.Service"});
  health.Enter(ServingPhase::kRefusing);
  EXPECT_THAT(service.statuses, ElementsAre(Pair("", false), Pair("pkg.Service", false)));
  service.statuses.clear();
  health.Enter(ServingPhase::kRefusing);
  EXPECT_THAT(service.statuses, IsEmpty());  // it may be gone by now
}

TEST(HealthTest, ReportsEachModelUnderItsNameWhileServing) {
  FakeHealthService service;
  Health health;
  health.ReportTo(&service, {"pkg.Service"});
  health.SetModels({{"a", true}, {"b", false}}, /*enough=*/true);
  EXPECT_THAT(service.statuses, ElementsAre(Pair("", false), Pair("a", false), Pair("b", false),
                                            Pair("pkg.Service", false)));
  health.Enter(ServingPhase::kServing);
  EXPECT_THAT(service.statuses, ElementsAre(Pair("", true), Pair("a", true), Pair("b", false),
                                            Pair("pkg.Service", true)));
  health.Enter(ServingPhase::kDraining);
  EXPECT_FALSE(service.statuses["a"]);
}

TEST(HealthTest, AModelThatIsGoneIsNotServing) {
  FakeHealthService service;
  Health health;
  health.ReportTo(&service, {});
  health.Enter(ServingPhase::kServing);
  health.SetModels({{"a", true}}, /*enough=*/true);
  health.SetModels({}, /*enough=*/true);
  EXPECT_THAT(service.statuses, ElementsAre(Pair("", true), Pair("a", false)));
}

TEST(HealthTest, ReportsChangesOnly) {
  FakeHealthService service;
  Health health;
  health.ReportTo(&service, {"pkg.Service"});
  health.Enter(ServingPhase::kServing);
  health.SetModels({{"a", true}}, /*enough=*/true);
  const int before = service.reports;
  health.SetModels({{"a", true}}, /*enough=*/true);
  EXPECT_EQ(service.reports, before);
}

TEST(HealthTest, AModelNamedLikeAServiceDoesNotSpeakForIt) {
  FakeHealthService service;
  Health health;
  health.ReportTo(&service, {"pkg.Service"});
  health.Enter(ServingPhase::kServing);
  health.SetModels({{"pkg.Service", false}}, /*enough=*/true);
  EXPECT_TRUE(service.statuses["pkg.Service"]);
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
