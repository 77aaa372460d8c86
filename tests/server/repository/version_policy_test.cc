// SPDX-License-Identifier: Apache-2.0
#include "server/repository/version_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lipserve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(VersionPolicyTest, AllWantsWhateverThereIs) {
  const VersionChoice choice = ChooseVersions({}, {1, 5, 7});
  EXPECT_THAT(choice.wanted, ElementsAre(1, 5, 7));
  EXPECT_THAT(choice.missing, IsEmpty());
}

TEST(VersionPolicyTest, LatestWantsTheHighestNumbers) {
  ServingConfig config;
  config.policy = {.kind = VersionPolicy::Kind::kLatest, .num_versions = 2, .versions = {}};
  EXPECT_THAT(ChooseVersions(config, {1, 2, 9, 10}).wanted, ElementsAre(9, 10));
  EXPECT_THAT(ChooseVersions(config, {9}).wanted, ElementsAre(9));
  EXPECT_THAT(ChooseVersions(config, {}).wanted, IsEmpty());
}

TEST(VersionPolicyTest, SpecificWantsTheListedAndMissesTheOthers) {
  ServingConfig config;
  config.policy = {.kind = VersionPolicy::Kind::kSpecific, .num_versions = 1, .versions = {2, 4}};
  const VersionChoice choice = ChooseVersions(config, {1, 2, 3});
  EXPECT_THAT(choice.wanted, ElementsAre(2));
  EXPECT_THAT(choice.missing, ElementsAre(4));
}

TEST(VersionPolicyTest, LabelledVersionsAreWantedWhateverThePolicy) {
  ServingConfig config;
  config.policy.kind = VersionPolicy::Kind::kLatest;
  config.labels = {{"stable", 1}, {"next", 8}};
  const VersionChoice choice = ChooseVersions(config, {1, 2, 3});
  EXPECT_THAT(choice.wanted, ElementsAre(1, 3));
  EXPECT_THAT(choice.missing, ElementsAre(8));
}

}  // namespace
}  // namespace lipserve
