// SPDX-License-Identifier: Apache-2.0
// What a repository does when its folder changes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "server/repository/model_repository.h"
#include "tests/server/repository_fixture.h"

namespace lipserve {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

std::size_t Count(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

class RepositoryPollTest : public RepositoryFixture {
 protected:
  ModelRepository repository_{Settings(RepositoryMode::kPoll), metrics_, clock_};
};

TEST_F(RepositoryPollTest, StartsWithoutModelsAndServesTheFirstOneThatComes) {
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  EXPECT_EQ(Served(repository_, "m"), "");
  AddVersion("m", 1);
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "1");
  EXPECT_THAT(answering_, ElementsAre(Pair("m", true)));
}

TEST_F(RepositoryPollTest, ANewVersionIsServedAndTheOldOneStaysByDefault) {
  AddVersion("m", 1);
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  AddVersion("m", 2);
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "1, 2");
  EXPECT_EQ(VersionOf(repository_, "m"), 2);
}

TEST_F(RepositoryPollTest, LatestTwoKeepsTwo) {
  AddVersion("m", 1);
  Configure("m", "version_policy { latest { num_versions: 2 } }");
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  EXPECT_EQ(Served(repository_, "m"), "1");
  for (std::int64_t version = 2; version <= 5; ++version) {
    AddVersion("m", version);
    repository_.Poll();
    EXPECT_EQ(Served(repository_, "m"),
              std::to_string(version - 1) + ", " + std::to_string(version));
  }
  EXPECT_THAT(Indexed(repository_, "m", 1), HasSubstr("the version policy is latest 2"));
}

TEST_F(RepositoryPollTest, OnlyTheNewestVersionsAreReadAtTheStart) {
  AddVersion("m", 1);
  WriteGarbage("m", 2, 100);
  AddVersion("m", 3);
  Configure("m", "version_policy { latest {} }");
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  EXPECT_EQ(Served(repository_, "m"), "3");
  EXPECT_THAT(log_, Not(HasSubstr("m/2")));
}

TEST_F(RepositoryPollTest, ACorruptNewVersionLeavesTheOldOneServingAndTheIndexTellsWhy) {
  AddVersion("m", 1);
  Configure("m", "version_policy { latest {} }");
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  const auto before = repository_.catalog()->models()[0];
  WriteGarbage("m", 2, 100);
  folder_.Add("m", "3", BoastfulModel());
  for (int poll = 0; poll < 3; ++poll) repository_.Poll();
  EXPECT_EQ(repository_.catalog()->models()[0], before);
  EXPECT_EQ(Served(repository_, "m"), "1");
  EXPECT_THAT(
      Indexed(repository_, "m", 2),
      AllOf(StartsWith("UNAVAILABLE: "), HasSubstr("m/2/model.lip"), HasSubstr("100 bytes")));
  EXPECT_THAT(Indexed(repository_, "m", 3),
              AllOf(StartsWith("UNAVAILABLE: "), HasSubstr("m/3/model.lip")));
  EXPECT_EQ(Count(log_, "m/2/model.lip"), 1U);  // once, not at each poll
  EXPECT_EQ(Count(log_, "m/3/model.lip"), 1U);
  EXPECT_THAT(metrics_.Text(), HasSubstr("lipserve_repository_problems 2\n"));
}

TEST_F(RepositoryPollTest, ARefusedFileIsTriedAgainOnceItChanges) {
  AddVersion("m", 1);
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  WriteGarbage("m", 2, 100);
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "1");
  AddVersion("m", 2);
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "1, 2");
  EXPECT_EQ(Indexed(repository_, "m", 2), "READY");
  EXPECT_THAT(metrics_.Text(), HasSubstr("lipserve_repository_problems 0\n"));
}

TEST_F(RepositoryPollTest, AFolderWithoutACompleteFileIsNotAVersionYet) {
  AddVersion("m", 1);
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  fs::create_directories(VersionPath("m", 2));
  std::ofstream(VersionPath("m", 2) + "/model.lip.tmp.123") << "half of a mod";
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "1");
  EXPECT_THAT(Indexed(repository_, "m", 2), HasSubstr("no model.lip yet"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("lipserve_repository_problems 0\n"));
}

TEST_F(RepositoryPollTest, DeletingTheNewestVersionRollsBack) {
  AddVersion("m", 1);
  AddVersion("m", 2);
  Configure("m", "version_policy { latest {} }");
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  EXPECT_EQ(Served(repository_, "m"), "2");
  RemoveVersion("m", 2);
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "1");
  repository_.FreeRetired();
  EXPECT_EQ(Indexed(repository_, "m", 2), "");
}

TEST_F(RepositoryPollTest, ARollBackToABadVersionKeepsTheGoodOne) {
  folder_.Add("m", "1", BoastfulModel());
  AddVersion("m", 2);
  Configure("m", "version_policy { latest {} }");
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  RemoveVersion("m", 2);
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "2");
  EXPECT_THAT(Indexed(repository_, "m", 2), StartsWith("READY: its folder was deleted"));
}

TEST_F(RepositoryPollTest, AModelFolderThatIsSuddenlyEmptyKeepsItsModel) {
  AddVersion("a", 1);
  AddVersion("b", 1);
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  RemoveVersion("a", 1);  // or the volume of model a was unmounted
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "a"), "1");
  EXPECT_THAT(Indexed(repository_, "a", 1), StartsWith("READY: its folder was deleted"));
  AddVersion("a", 2);
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "a"), "2");
}

TEST_F(RepositoryPollTest, DeletingAModelUnloadsItAndLeavesNothingOfIt) {
  AddVersion("a", 1);
  AddVersion("b", 1);
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  fs::remove_all(folder_.path() + "/a");
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "a"), "");
  EXPECT_EQ(Served(repository_, "b"), "1");
  repository_.FreeRetired();
  EXPECT_EQ(repository_.Index()->size(), 1U);
  EXPECT_THAT(answering_, ElementsAre(Pair("b", true)));
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("model=\"a\"")));
}

TEST_F(RepositoryPollTest, AFolderThatIsSuddenlyEmptyOrGoneChangesNothing) {
  AddVersion("m", 1);
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  fs::rename(folder_.path() + "/m", folder_.path() + "_m");
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "1");
  EXPECT_THAT(log_, HasSubstr("is the volume mounted?"));
  fs::remove(folder_.path());
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "1");
  EXPECT_THAT(metrics_.Text(), HasSubstr("lipserve_repository_problems 1\n"));
  fs::create_directories(folder_.path());
  fs::rename(folder_.path() + "_m", folder_.path() + "/m");
  repository_.Poll();
  EXPECT_EQ(Indexed(repository_, "m", 1), "READY");
}

TEST_F(RepositoryPollTest, AChangedFileUnderAServedVersionIsToldAndDisturbsNothing) {
  AddVersion("m", 1, /*seed=*/1);
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  const auto before = repository_.catalog()->models()[0];
  AddVersion("m", 1, /*seed=*/2);
  for (int poll = 0; poll < 3; ++poll) repository_.Poll();
  EXPECT_EQ(repository_.catalog()->models()[0], before);
  EXPECT_THAT(Indexed(repository_, "m", 1), StartsWith("READY: its file was changed"));
  EXPECT_EQ(Count(log_, "m/1: its file was changed"), 1U);
  const std::string gauge = "lipserve_model_file_differs{model=\"m\",version=\"1\"} ";
  EXPECT_THAT(metrics_.Text(), HasSubstr(gauge + "1\n"));

  AddVersion("m", 1, /*seed=*/1);  // other file, same content
  repository_.Poll();
  EXPECT_EQ(Indexed(repository_, "m", 1), "READY");
  EXPECT_THAT(metrics_.Text(), HasSubstr(gauge + "0\n"));
}

TEST_F(RepositoryPollTest, ARemovedOrCorruptedFileUnderAServedVersionIsTold) {
  AddVersion("m", 1);
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  fs::remove(VersionPath("m", 1) + "/model.lip");
  repository_.Poll();
  EXPECT_THAT(Indexed(repository_, "m", 1), StartsWith("READY: its file was removed"));
  WriteGarbage("m", 1, 50);
  repository_.Poll();
  EXPECT_THAT(Indexed(repository_, "m", 1), AllOf(StartsWith("READY: "), HasSubstr("50 bytes")));
  EXPECT_EQ(Served(repository_, "m"), "1");
}

TEST_F(RepositoryPollTest, ALabelMovesWithTheConfiguration) {
  AddVersion("m", 1);
  AddVersion("m", 2);
  Configure("m", "labels { name: 'stable' version: 1 } default_label: 'stable'");
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  EXPECT_EQ(VersionOf(repository_, "m", "stable"), 1);
  EXPECT_EQ(VersionOf(repository_, "m"), 1);  // not the newest
  EXPECT_EQ(Indexed(repository_, "m", 1), "READY [stable]");
  Configure("m",
            "labels { name: 'stable' version: 2 } labels { name: 'old' version: 1 }"
            "default_label: 'stable'");
  repository_.Poll();
  EXPECT_EQ(VersionOf(repository_, "m", "stable"), 2);
  EXPECT_EQ(VersionOf(repository_, "m", "old"), 1);
  EXPECT_EQ(VersionOf(repository_, "m"), 2);
}

TEST_F(RepositoryPollTest, ALabelStaysUntilItsNewVersionIsServed) {
  AddVersion("m", 1);
  Configure("m", "version_policy { latest {} } labels { name: 'stable' version: 1 }");
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  folder_.Add("m", "2", BoastfulModel());
  Configure("m", "version_policy { latest {} } labels { name: 'stable' version: 2 }");
  repository_.Poll();
  EXPECT_EQ(VersionOf(repository_, "m", "stable"), 1);
  AddVersion("m", 3);  // the policy would let version 1 go, the label keeps it
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "1, 3");
  EXPECT_EQ(VersionOf(repository_, "m", "stable"), 1);
  AddVersion("m", 2);
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "2, 3");
  EXPECT_EQ(VersionOf(repository_, "m", "stable"), 2);
}

TEST_F(RepositoryPollTest, ALabelOfAVersionThatIsNotThereIsTold) {
  AddVersion("m", 1);
  Configure("m", "labels { name: 'next' version: 7 }");
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  EXPECT_EQ(VersionOf(repository_, "m", "next"), 0);
  EXPECT_THAT(log_, HasSubstr("version 7 of model m is asked for"));
  EXPECT_THAT(Indexed(repository_, "m", 0), HasSubstr("version 7"));
}

TEST_F(RepositoryPollTest, ASpecificVersionThatIsBadKeepsWhatItWasToReplace) {
  AddVersion("m", 1);
  Configure("m", "version_policy { specific { versions: 1 } }");
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  folder_.Add("m", "2", BoastfulModel());
  Configure("m", "version_policy { specific { versions: 2 } }");
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "1");
  AddVersion("m", 2);
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "2");
}

TEST_F(RepositoryPollTest, AConfiguredBatchLimitHoldsUntilItIsTakenAway) {
  AddVersion("m", 1);
  ModelRepository repository(Settings(RepositoryMode::kPoll), metrics_, clock_);
  ASSERT_TRUE(ReadAndStart(repository).ok());
  const auto served = repository.catalog()->Find("m", 1).value();
  const std::size_t measured = served->batch_limit();
  Configure("m", "batch_limit: 3");
  repository.Poll();
  EXPECT_EQ(served->batch_limit(), 3U);
  EXPECT_THAT(log_, HasSubstr("m/1: batches of up to 3, as configured"));
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("lipserve_model_batch_limit{model=\"m\",version=\"1\"} 3"));
  AddVersion("m", 2);
  Configure("m", "batch_limit: 1000");
  repository.Poll();
  EXPECT_EQ(served->batch_limit(), 4U) << "what the model was loaded for";
  EXPECT_EQ(repository.catalog()->Find("m", 2).value()->batch_limit(), 4U);
  Configure("m", "");
  repository.Poll();
  EXPECT_EQ(served->batch_limit(), measured);
}

TEST_F(RepositoryPollTest, AConfiguredQueueHoldsUntilItIsTakenAway) {
  AddVersion("m", 1);
  ModelRepository::Settings settings = Settings(RepositoryMode::kPoll);
  settings.queue_capacity = 50;
  ModelRepository repository(settings, metrics_, clock_);
  ASSERT_TRUE(ReadAndStart(repository).ok());
  const auto served = repository.catalog()->Find("m", 1).value();
  const auto queueing = [&served] {
    return std::pair(served->queue_capacity(), served->default_priority());
  };
  EXPECT_EQ(queueing(), std::pair(std::size_t{50}, 3));
  Configure("m", "queue_capacity: 7 default_priority: 5");
  repository.Poll();
  EXPECT_EQ(queueing(), std::pair(std::size_t{7}, 5));
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("lipserve_model_queue_capacity{model=\"m\",version=\"1\"} 7"));
  Configure("m", "queue_capacity: 51");
  repository.Poll();
  EXPECT_EQ(queueing(), std::pair(std::size_t{50}, 3)) << "not more than the server's";
}

TEST_F(RepositoryPollTest, ABadConfigurationLeavesTheFormerOneInForce) {
  AddVersion("m", 1);
  AddVersion("m", 2);
  Configure("m", "version_policy { latest {} }");
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  Configure("m", "version_polcy { all {} }");
  repository_.Poll();
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "2");
  EXPECT_THAT(Indexed(repository_, "m", 0),
              AllOf(StartsWith("UNAVAILABLE: "), HasSubstr("config.textproto:1:"),
                    HasSubstr("Did you mean \"version_policy\"?")));
  EXPECT_EQ(Count(log_, "config.textproto:1:"), 1U);
  Configure("m", "version_policy { all {} }");
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "1, 2");
  EXPECT_EQ(Indexed(repository_, "m", 0), "");
}

TEST_F(RepositoryPollTest, TheStartToleratesABadVersionIfTheModelHasAGoodOne) {
  AddVersion("m", 1);
  folder_.Add("m", "2", BoastfulModel());
  EXPECT_TRUE(ReadAndStart(repository_).ok());
  EXPECT_EQ(Served(repository_, "m"), "1");
  EXPECT_THAT(log_, HasSubstr("m/2"));
}

TEST_F(RepositoryPollTest, TheStartRefusesAModelWithoutAGoodVersion) {
  AddVersion("good", 1);
  folder_.Add("m", "2", BoastfulModel());
  const absl::Status status = ReadAndStart(repository_);
  EXPECT_THAT(
      std::string(status.message()),
      AllOf(HasSubstr("m/2/model.lip"), Not(HasSubstr("good")), HasSubstr("--skip-bad-models")));
}

TEST_F(RepositoryPollTest, AModelWhoseInputFitsNoRequestIsRefused) {
  AddVersion("m", 1);
  ASSERT_TRUE(repository_.Read().ok());
  repository_.LimitInputSize(kSmallInputSize);
  ASSERT_TRUE(repository_.Start().ok());
  folder_.Add("m", "2", SeededModel(1, {.channels = 1, .height = 4, .width = 5}, 8, 3));
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "1");
  EXPECT_THAT(Indexed(repository_, "m", 2), HasSubstr("--max-request-bytes"));
}

TEST_F(RepositoryPollTest, WhoHoldsAVersionKeepsItAndTheIndexSaysSo) {
  AddVersion("m", 1);
  AddVersion("m", 2);
  ASSERT_TRUE(ReadAndStart(repository_).ok());
  auto held = *repository_.catalog()->Find("m", 1);
  RemoveVersion("m", 1);
  repository_.Poll();
  EXPECT_EQ(Served(repository_, "m"), "2");
  EXPECT_THAT(Indexed(repository_, "m", 1), StartsWith("UNLOADING"));
  repository_.FreeRetired();
  EXPECT_THAT(log_, Not(HasSubstr("freed")));
  held.reset();
  repository_.FreeRetired();
  EXPECT_THAT(log_, HasSubstr("freed 1 version "));
  EXPECT_EQ(Indexed(repository_, "m", 1), "");
}

}  // namespace
}  // namespace lipserve
