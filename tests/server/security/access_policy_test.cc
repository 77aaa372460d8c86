// SPDX-License-Identifier: Apache-2.0
#include "server/security/access_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

AccessPolicy Policy(const std::string& text) { return AccessPolicy::Parse(text, "file").value(); }

std::string Refusal(const std::string& text) {
  return std::string(AccessPolicy::Parse(text, "file").status().message());
}

using Names = std::vector<std::string>;

TEST(AccessPolicyTest, WhatNoRuleAllowsIsRefused) {
  EXPECT_FALSE(Policy("").Allows(Names{"anybody"}, "Classify"));
  const AccessPolicy policy = Policy("allow { clients: 'app' methods: 'Classify' }");
  EXPECT_TRUE(policy.Allows(Names{"app"}, "Classify"));
  EXPECT_FALSE(policy.Allows(Names{"app"}, "ClassifyStream"));
  EXPECT_FALSE(policy.Allows(Names{"app2"}, "Classify"));
  EXPECT_FALSE(policy.Allows(Names{}, "Classify"));
}

TEST(AccessPolicyTest, OneOfTheClientsNamesIsEnough) {
  const AccessPolicy policy = Policy("allow { clients: ['a', 'b'] methods: 'Classify' }");
  EXPECT_TRUE(policy.Allows(Names{"x", "b"}, "Classify"));
  EXPECT_FALSE(policy.Allows(Names{"x", "y"}, "Classify"));
}

TEST(AccessPolicyTest, AStarAtTheEndStandsForAnything) {
  const AccessPolicy policy = Policy(
      "allow { clients: 'app.*' methods: ['Repository*', 'Model*'] } "
      "allow { clients: '*' methods: 'ServerLive' }");
  EXPECT_TRUE(policy.Allows(Names{"app.east"}, "RepositoryModelLoad"));
  EXPECT_TRUE(policy.Allows(Names{"app."}, "ModelInfer"));
  EXPECT_FALSE(policy.Allows(Names{"app"}, "ModelInfer"));
  EXPECT_FALSE(policy.Allows(Names{"app.east"}, "Classify"));
  EXPECT_TRUE(policy.Allows(Names{}, "ServerLive"));
  // Only a lone star lets in those who show no certificate.
  EXPECT_FALSE(policy.Allows(Names{}, "ModelInfer"));
}

TEST(AccessPolicyTest, RefusesRulesThatCannotMeanAnything) {
  EXPECT_THAT(Refusal("allow { client: 'a' }"), StartsWith("file:1:"));
  EXPECT_THAT(Refusal("allow { client: 'a' }"), HasSubstr("clients"));
  EXPECT_EQ(Refusal("allow { clients: 'a' }"),
            "file: allow[0]: expected at least one name in clients and in methods, got 1 and 0");
  EXPECT_EQ(Refusal("allow { clients: 'a' methods: '*' } allow { clients: '' methods: '*' }"),
            "file: allow[1].clients: expected a name, or \"*\" for everybody, got \"\"");
  EXPECT_EQ(Refusal("allow { clients: 'a' methods: 'Clasify' }"),
            "file: allow[0].methods: expected a method such as ModelInfer, Repository* or *, got "
            "'Clasify'");
}

}  // namespace
}  // namespace lipserve
