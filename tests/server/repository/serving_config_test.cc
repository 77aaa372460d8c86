// SPDX-License-Identifier: Apache-2.0
#include "server/repository/serving_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::StartsWith;

std::string ErrorOf(const std::string& text) {
  const auto config = ParseServingConfig(text, "m/config.textproto");
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(config.status().message());
}

TEST(ServingConfigTest, AnEmptyFileServesEveryVersionAndTheNewestByDefault) {
  const auto config = ParseServingConfig("", "m");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->policy.kind, VersionPolicy::Kind::kAll);
  EXPECT_THAT(config->labels, IsEmpty());
  EXPECT_EQ(config->default_label, "");
  EXPECT_EQ(config->queue_capacity, std::nullopt);
  EXPECT_EQ(config->default_priority, 3);
}

TEST(ServingConfigTest, ReadsPolicyLabelsAndDefault) {
  const auto config = ParseServingConfig(
      "# canary\nversion_policy { latest { num_versions: 2 } }\n"
      "labels { name: 'stable' version: 3 }\nlabels { name: 'canary' version: 4 }\n"
      "default_label: 'stable'\nbatch_limit: 8\nqueue_capacity: 20\ndefault_priority: 5\n",
      "m");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->policy.kind, VersionPolicy::Kind::kLatest);
  EXPECT_EQ(config->policy.num_versions, 2U);
  EXPECT_THAT(config->labels, ElementsAre(Pair("canary", 4), Pair("stable", 3)));
  EXPECT_EQ(config->default_label, "stable");
  EXPECT_EQ(config->batch_limit, 8U);
  EXPECT_EQ(config->queue_capacity, 20U);
  EXPECT_EQ(config->default_priority, 5);
}

TEST(ServingConfigTest, ReadsTheOtherPolicies) {
  EXPECT_EQ(DescribePolicy(ParseServingConfig("version_policy { latest {} }", "m")->policy),
            "latest 1");
  EXPECT_EQ(DescribePolicy(ParseServingConfig("version_policy { all {} }", "m")->policy), "all");
  EXPECT_EQ(
      DescribePolicy(
          ParseServingConfig("version_policy { specific { versions: [3, 1] } }", "m")->policy),
      "specific 1, 3");
}

TEST(ServingConfigTest, ATypoIsRefusedWithItsLineAndTheNearestField) {
  EXPECT_THAT(ErrorOf("\nversion_polcy { all {} }"),
              AllOf(StartsWith("m/config.textproto:2:15:"), HasSubstr("\"version_policy\"?")));
  EXPECT_THAT(ErrorOf("version_policy {\n  latest { num_version: 2 }\n}"),
              AllOf(StartsWith("m/config.textproto:2:"), HasSubstr("\"num_versions\"?")));
  EXPECT_THAT(ErrorOf("labels { name: 'a' versoin: 1 }"), HasSubstr("\"version\"?"));
}

TEST(ServingConfigTest, WrongValuesAreRefusedWithTheirLine) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"\nversion_policy { latest { num_versions: 0 } }",
       "2: version_policy.latest.num_versions: expected at least 1, got 0"},
      {"\n\nbatch_limit: 0", "3: batch_limit: expected at least 1, got 0"},
      {"\nqueue_capacity: 0", "2: queue_capacity: expected at least 1, got 0"},
      {"default_priority: 0", "1: default_priority: expected 1 (computed first) to 5, got 0"},
      {"default_priority: 6", "1: default_priority: expected 1 (computed first) to 5, got 6"},
      {"version_policy { specific {} }",
       "1: version_policy.specific.versions: expected at least one number, got none"},
      {"version_policy { specific { versions: 0 } }", "positive numbers, got 0"},
      {"version_policy { specific { versions: [2, 2] } }", "each number once, got 2 twice"},
      {"labels { name: 'a' version: 1 }\nlabels { name: '2nd' version: 1 }",
       "2: labels[1].name: expected 1 to 64 letters"},
      {"labels { version: 1 }", "starting with a letter, got ''"},
      {"labels { name: 'a b' version: 1 }", "got 'a b'"},
      {"labels { name: 'a' }", "1: labels[0].version: expected a positive number, got 0"},
      {"labels { name: 'a' version: 1 }\nlabels { name: 'a' version: 2 }",
       "2: labels[1].name: expected each label once, got 'a' twice"},
      {"labels { name: 'stable' version: 1 }\n\ndefault_label: 'stabel'",
       "3: default_label: expected one of the labels (stable), got 'stabel'; did you mean "
       "'stable'?"},
      {"default_label: 'stable'", "(there are none), got 'stable'"},
  };
  for (const auto& [text, error] : wrong) {
    EXPECT_THAT(ErrorOf(text), AllOf(StartsWith("m/config.textproto:"), HasSubstr(error)));
  }
}

TEST(ServingConfigTest, AMissingFileIsAnErrorThatNamesIt) {
  const auto config = ReadServingConfig("/nowhere/config.textproto");
  EXPECT_TRUE(absl::IsNotFound(config.status()));
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("/nowhere/config.textproto"));
}

}  // namespace
}  // namespace lipserve
