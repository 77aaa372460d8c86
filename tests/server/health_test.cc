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
  }
  void SetServingStatus(bool serving) override { statuses[""] = serving; }

  std::map<std::string, bool> statuses;
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

}  // namespace
}  // namespace lipserve
