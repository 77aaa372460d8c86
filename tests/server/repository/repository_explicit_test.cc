// SPDX-License-Identifier: Apache-2.0
// What a repository does when it is asked to load and unload.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "server/repository/model_repository.h"
#include "tests/server/repository_fixture.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class RepositoryExplicitTest : public RepositoryFixture {
 protected:
  ModelRepository::Settings Loading(std::vector<std::string> names) {
    ModelRepository::Settings settings = Settings(RepositoryMode::kExplicit);
    settings.load_models = std::move(names);
    return settings;
  }
};

TEST_F(RepositoryExplicitTest, LoadsNothingUnlessAsked) {
  AddVersion("a", 1);
  folder_.Add("boastful", "1", BoastfulModel());
  ModelRepository repository(Loading({}), metrics_, clock_);
  ASSERT_TRUE(ReadAndStart(repository).ok());
  repository.Poll();
  EXPECT_TRUE(repository.catalog()->models().empty());
  EXPECT_EQ(Indexed(repository, "a", 1), "UNAVAILABLE: not loaded");
  ASSERT_TRUE(repository.Load("a").ok());
  EXPECT_EQ(Served(repository, "a"), "1");
  EXPECT_EQ(Indexed(repository, "a", 1), "READY");
}

TEST_F(RepositoryExplicitTest, TheStartLoadsWhatItIsToldTo) {
  AddVersion("a", 1);
  AddVersion("b", 1);
  ModelRepository repository(Loading({"b"}), metrics_, clock_);
  ASSERT_TRUE(ReadAndStart(repository).ok());
  EXPECT_EQ(Served(repository, "a"), "");
  EXPECT_EQ(Served(repository, "b"), "1");
}

TEST_F(RepositoryExplicitTest, TheStartFailsIfAModelToLoadIsMissingOrHasNoVersion) {
  std::filesystem::create_directories(folder_.path() + "/empty/1");
  ModelRepository repository(Loading({"nowhere", "empty"}), metrics_, clock_);
  EXPECT_THAT(std::string(repository.Read().message()),
              AllOf(HasSubstr("2 refused"), HasSubstr("model nowhere"), HasSubstr("model empty")));
}

TEST_F(RepositoryExplicitTest, UnloadStopsServingAndLoadBringsItBack) {
  AddVersion("a", 1);
  ModelRepository repository(Loading({"a"}), metrics_, clock_);
  ASSERT_TRUE(ReadAndStart(repository).ok());
  ASSERT_TRUE(repository.Unload("a").ok());
  EXPECT_EQ(Served(repository, "a"), "");
  EXPECT_TRUE(repository.Unload("a").ok());  // is done
  repository.FreeRetired();
  repository.Poll();
  EXPECT_EQ(Indexed(repository, "a", 1), "UNAVAILABLE: not loaded");
  ASSERT_TRUE(repository.Load("a").ok());
  EXPECT_EQ(Served(repository, "a"), "1");
}

TEST_F(RepositoryExplicitTest, NewVersionsWaitForALoad) {
  AddVersion("a", 1);
  Configure("a", "version_policy { latest {} }");
  ModelRepository repository(Loading({"a"}), metrics_, clock_);
  ASSERT_TRUE(ReadAndStart(repository).ok());
  AddVersion("a", 2);
  repository.Poll();
  EXPECT_EQ(Served(repository, "a"), "1");
  EXPECT_EQ(Indexed(repository, "a", 2), "UNAVAILABLE: not loaded");
  ASSERT_TRUE(repository.Load("a").ok());
  EXPECT_EQ(Served(repository, "a"), "2");
}

TEST_F(RepositoryExplicitTest, AChangedConfigurationWaitsForALoad) {
  AddVersion("a", 1);
  AddVersion("a", 2);
  Configure("a", "labels { name: 'x' version: 1 } default_label: 'x'");
  ModelRepository repository(Loading({"a"}), metrics_, clock_);
  ASSERT_TRUE(ReadAndStart(repository).ok());
  Configure("a", "labels { name: 'y' version: 2 } default_label: 'y'");
  repository.Poll();
  EXPECT_EQ(VersionOf(repository, "a"), 1);
  EXPECT_EQ(VersionOf(repository, "a", "y"), 0);
  ASSERT_TRUE(repository.Load("a").ok());
  EXPECT_EQ(VersionOf(repository, "a"), 2);
  EXPECT_EQ(VersionOf(repository, "a", "x"), 0);
}

TEST_F(RepositoryExplicitTest, LoadReplacesAServedVersionWhoseFileHasChanged) {
  AddVersion("a", 1, /*seed=*/1);
  ModelRepository repository(Loading({"a"}), metrics_, clock_);
  ASSERT_TRUE(ReadAndStart(repository).ok());
  const auto before = repository.catalog()->models()[0];
  ASSERT_TRUE(repository.Load("a").ok());
  EXPECT_EQ(repository.catalog()->models()[0], before);  // the same file: nothing to do
  AddVersion("a", 1, /*seed=*/2);
  ASSERT_TRUE(repository.Load("a").ok());
  EXPECT_NE(repository.catalog()->models()[0]->frozen().digest, before->frozen().digest);
  EXPECT_EQ(Indexed(repository, "a", 1), "READY");
}

TEST_F(RepositoryExplicitTest, AFailedLoadSaysWhyAndKeepsWhatIsServed) {
  AddVersion("a", 1);
  ModelRepository repository(Loading({"a"}), metrics_, clock_);
  ASSERT_TRUE(ReadAndStart(repository).ok());
  const auto before = repository.catalog()->models()[0];
  folder_.Add("a", "1", BoastfulModel());
  const absl::Status status = repository.Load("a");
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("a/1/model.lip"));
  EXPECT_EQ(repository.catalog()->models()[0], before);
  EXPECT_THAT(Indexed(repository, "a", 1),
              AllOf(StartsWith("READY: "), HasSubstr("a/1/model.lip")));
}

TEST_F(RepositoryExplicitTest, UnknownModelsAreNotFound) {
  ModelRepository repository(Loading({}), metrics_, clock_);
  ASSERT_TRUE(ReadAndStart(repository).ok());
  for (const char* name : {"a", "", "../a", "a/1"}) {
    EXPECT_TRUE(absl::IsNotFound(repository.Load(name))) << name;
    EXPECT_TRUE(absl::IsNotFound(repository.Unload(name))) << name;
  }
}

TEST_F(RepositoryExplicitTest, TheOtherModesTakeNoRequests) {
  AddVersion("a", 1);
  for (const RepositoryMode mode : {RepositoryMode::kFixed, RepositoryMode::kPoll}) {
    ModelRepository repository(Settings(mode), metrics_, clock_);
    ASSERT_TRUE(ReadAndStart(repository).ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(repository.Load("a")));
    EXPECT_THAT(std::string(repository.Unload("a").message()),
                HasSubstr("--repository-mode explicit"));
    EXPECT_EQ(Served(repository, "a"), "1");
  }
}

TEST_F(RepositoryExplicitTest, AFixedRepositoryStaysAsItWasAndTellsWhatChanged) {
  AddVersion("a", 1);
  ModelRepository repository(Settings(RepositoryMode::kFixed), metrics_, clock_);
  ASSERT_TRUE(ReadAndStart(repository).ok());
  AddVersion("a", 2);
  AddVersion("b", 1);
  AddVersion("a", 1, /*seed=*/2);
  repository.Poll();
  EXPECT_EQ(repository.catalog()->models().size(), 1U);
  EXPECT_THAT(Indexed(repository, "a", 1), StartsWith("READY: its file was changed"));
  EXPECT_EQ(Indexed(repository, "a", 2), "UNAVAILABLE: not loaded");
  EXPECT_EQ(Indexed(repository, "b", 1), "UNAVAILABLE: not loaded");
}

TEST_F(RepositoryExplicitTest, AStopEndsALoadAfterTheVersionThatIsBeingLoaded) {
  AddVersion("a", 1);
  ModelRepository repository(Loading({}), metrics_, clock_);
  ASSERT_TRUE(ReadAndStart(repository).ok());
  repository.RequestStop();
  EXPECT_TRUE(absl::IsUnavailable(repository.Load("a")));
  EXPECT_EQ(Served(repository, "a"), "");
}

}  // namespace
}  // namespace lipserve
