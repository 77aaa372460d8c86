// SPDX-License-Identifier: Apache-2.0
#include "server/repository/model_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/server/small_model.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ModelCatalogTest : public ::testing::Test {
 protected:
  SmallServedModel a2_{1, "a", 2};
  SmallServedModel a10_{1, "a", 10};
  SmallServedModel b1_{1, "b", 1};
  const ModelCatalog catalog_{{b1_.model, a10_.model, a2_.model}};
  const ModelCatalog only_a_{{a10_.model, a2_.model}};
};

TEST_F(ModelCatalogTest, VersionZeroTakesTheNewestByNumber) {
  EXPECT_EQ(*catalog_.Find("a", 0), a10_.model);
  EXPECT_EQ(*catalog_.Find("b", 0), b1_.model);
}

TEST_F(ModelCatalogTest, FindsAnOlderVersionByItsNumber) {
  EXPECT_EQ(*catalog_.Find("a", 2), a2_.model);
}

TEST_F(ModelCatalogTest, AnEmptyNameMeansTheOnlyModel) {
  EXPECT_EQ(*only_a_.Find("", 0), a10_.model);
  EXPECT_EQ(*only_a_.Find("", 2), a2_.model);
}

TEST_F(ModelCatalogTest, AnEmptyNameIsRefusedIfItIsAmbiguous) {
  const absl::Status status = catalog_.Find("", 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("served: a/2, a/10, b/1"));
}

TEST_F(ModelCatalogTest, UnknownNamesAndVersionsAreNotFoundAndListWhatIsServed) {
  for (const auto& [name, version] :
       std::vector<std::pair<std::string, std::int64_t>>{{"c", 0}, {"A", 0}, {"a", 3}, {"b", 10}}) {
    const absl::Status status = catalog_.Find(name, version).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("'" + name + "'"), HasSubstr("served: a/2, a/10, b/1")));
  }
}

TEST_F(ModelCatalogTest, ALabelStandsForItsVersion) {
  const ModelCatalog catalog({a2_.model, a10_.model},
                             {{"a", {.labels = {{"stable", 2}}, .default_label = ""}}});
  EXPECT_EQ(*catalog.Find("a", 0, "stable"), a2_.model);
  EXPECT_EQ(*catalog.Find("", 0, "stable"), a2_.model);
  EXPECT_EQ(*catalog.Find("a", 0), a10_.model);
  const absl::Status unknown = catalog.Find("a", 0, "canary").status();
  EXPECT_TRUE(absl::IsNotFound(unknown));
  EXPECT_THAT(std::string(unknown.message()),
              AllOf(HasSubstr("'canary'"), HasSubstr("labels: stable = 2")));
  EXPECT_TRUE(absl::IsInvalidArgument(catalog.Find("a", 2, "stable").status()));
}

TEST_F(ModelCatalogTest, TheDefaultLabelDecidesWhatAnUnnamedVersionIs) {
  const ModelCatalog catalog({a2_.model, a10_.model},
                             {{"a", {.labels = {{"stable", 2}}, .default_label = "stable"}}});
  EXPECT_EQ(*catalog.Find("a", 0), a2_.model);
  EXPECT_EQ(*catalog.Find("a", 10), a10_.model);
  EXPECT_TRUE(catalog.HasDefaultVersion("a"));
}

TEST_F(ModelCatalogTest, ADefaultLabelThatStandsForNothingIsNotReplacedByAGuess) {
  const ModelCatalog catalog({a10_.model},
                             {{"a", {.labels = {{"stable", 2}}, .default_label = "stable"}}});
  EXPECT_TRUE(absl::IsNotFound(catalog.Find("a", 0).status()));
  EXPECT_FALSE(catalog.HasDefaultVersion("a"));
  EXPECT_FALSE(catalog.HasDefaultVersion("b"));
  EXPECT_EQ(*catalog.Find("a", 10), a10_.model);
}

TEST_F(ModelCatalogTest, RefusesNegativeVersions) {
  EXPECT_TRUE(absl::IsInvalidArgument(catalog_.Find("a", -1).status()));
}

TEST_F(ModelCatalogTest, ShortensAndEscapesNamesInErrors) {
  const absl::Status status = catalog_.Find("\n" + std::string(100000, 'x'), 0).status();
  EXPECT_LT(status.message().size(), 300U);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\\n"));
}

TEST_F(ModelCatalogTest, ListsByNameThenVersion) {
  ASSERT_EQ(catalog_.models().size(), 3U);
  EXPECT_EQ(catalog_.models()[0], a2_.model);
  EXPECT_EQ(catalog_.models()[1], a10_.model);
  EXPECT_EQ(catalog_.models()[2], b1_.model);
}

TEST_F(ModelCatalogTest, EmptyItFindsNothing) {
  EXPECT_TRUE(absl::IsNotFound(ModelCatalog({}).Find("a", 0).status()));
  EXPECT_TRUE(absl::IsNotFound(ModelCatalog({}).Find("", 0).status()));
}

}  // namespace
}  // namespace lipserve
