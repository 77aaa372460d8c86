// SPDX-License-Identifier: Apache-2.0
#include "server/repository/repository_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "tests/server/repository_fixture.h"

namespace lipserve {
namespace {

using ::testing::StartsWith;

class RepositoryLoaderTest : public RepositoryFixture {
 protected:
  // Starts the repository on a thread, and waits for it.
  void Start(RepositoryMode mode, std::chrono::milliseconds poll_interval = {}) {
    repository_ = std::make_unique<ModelRepository>(Settings(mode), metrics_, clock_);
    ASSERT_TRUE(repository_->Read().ok());
    std::promise<absl::Status> started;
    loader_ = std::make_unique<RepositoryLoader>(
        RepositoryLoader::Settings{.poll_interval = poll_interval}, *repository_,
        [&started](const absl::Status& status) { started.set_value(status); });
    ASSERT_TRUE(started.get_future().get().ok());
  }

  absl::Status Load(const std::string& name) {
    std::promise<absl::Status> outcome;
    loader_->Load(name, [&outcome](const absl::Status& status) { outcome.set_value(status); });
    return outcome.get_future().get();
  }
  absl::Status Unload(const std::string& name) {
    std::promise<absl::Status> outcome;
    loader_->Unload(name, [&outcome](const absl::Status& status) { outcome.set_value(status); });
    return outcome.get_future().get();
  }

  std::unique_ptr<ModelRepository> repository_;
  std::unique_ptr<RepositoryLoader> loader_;
};

TEST_F(RepositoryLoaderTest, LooksAtTheFolderByItself) {
  Start(RepositoryMode::kPoll, std::chrono::milliseconds(1));
  AddVersion("m", 1);
  while (Served(*repository_, "m") != "1") std::this_thread::yield();
  RemoveVersion("m", 1);
  AddVersion("m", 2);
  while (Served(*repository_, "m") != "2") std::this_thread::yield();
}

TEST_F(RepositoryLoaderTest, UnloadWaitsForWhoeverHoldsTheVersionThenFreesIt) {
  AddVersion("m", 1);
  Start(RepositoryMode::kExplicit);
  ASSERT_TRUE(Load("m").ok());
  auto held = *repository_->catalog()->Find("m", 0);
  ASSERT_TRUE(Unload("m").ok());
  EXPECT_EQ(Served(*repository_, "m"), "");
  EXPECT_THAT(Indexed(*repository_, "m", 1), StartsWith("UNLOADING"));
  const std::vector<float> inputs = RandomInputs(1, 1);
  Answer answer;
  held->ClassifyByFloatingPoint({inputs.data(), 1, inputs.size()}, {&answer, 1},
                                RadiusPrecision::kTight);  // still whole
  EXPECT_EQ(answer.scores.size(), 3U);
  held.reset();
  while (Indexed(*repository_, "m", 1) != "UNAVAILABLE: not loaded") std::this_thread::yield();
}

TEST_F(RepositoryLoaderTest, RequestsAreTakenInTheirOrder) {
  AddVersion("m", 1);
  Start(RepositoryMode::kExplicit);
  std::vector<int> order;  // written by the loader's thread only
  loader_->Load("m", [&order](const absl::Status&) { order.push_back(1); });
  loader_->Unload("m", [&order](const absl::Status&) { order.push_back(2); });
  loader_->Poll([&order](const absl::Status&) { order.push_back(3); });
  EXPECT_TRUE(absl::IsNotFound(Load("nowhere")));
  EXPECT_THAT(order, ::testing::ElementsAre(1, 2, 3));
}

TEST_F(RepositoryLoaderTest, EveryRequestIsAnsweredEvenIfTheLoaderEnds) {
  AddVersion("m", 1);
  Start(RepositoryMode::kExplicit);
  int answered = 0;
  for (int i = 0; i < 10; ++i) {
    loader_->Load("m", [&answered](const absl::Status&) { ++answered; });
    loader_->Unload("m", [&answered](const absl::Status&) { ++answered; });
  }
  loader_->RequestStop();
  EXPECT_TRUE(absl::IsUnavailable(Load("m")));
  loader_.reset();
  EXPECT_EQ(answered, 20);
}

TEST_F(RepositoryLoaderTest, NoModelIsLoadedOnAThreadThatFailsItsCheck) {
  AddVersion("m", 1);
  ModelRepository repository(Settings(RepositoryMode::kFixed), metrics_, clock_);
  ASSERT_TRUE(repository.Read().ok());
  std::promise<absl::Status> started;
  RepositoryLoader loader({.check = [] { return absl::InternalError("broken"); }}, repository,
                          [&started](const absl::Status& status) { started.set_value(status); });
  EXPECT_EQ(started.get_future().get(), absl::InternalError("broken"));
  EXPECT_EQ(Served(repository, "m"), "");
}

TEST_F(RepositoryLoaderTest, WhoDoesNotWantToWaitForALoadLearnsThatItIsNotOver) {
  AddVersion("m", 1);
  ModelRepository repository(Settings(RepositoryMode::kFixed), metrics_, clock_);
  ASSERT_TRUE(repository.Read().ok());
  std::promise<void> over;  // stands for a proof that takes long
  RepositoryLoader loader({.check =
                               [&over] {
                                 over.get_future().wait();
                                 return absl::OkStatus();
                               }},
                          repository, [](const absl::Status&) {});
  loader.RequestStop();
  EXPECT_FALSE(loader.WaitUntilEnded(std::chrono::milliseconds(1)));
  over.set_value();
  EXPECT_TRUE(loader.WaitUntilEnded(std::chrono::hours(1)));
  EXPECT_EQ(Served(repository, "m"), "");
}

TEST_F(RepositoryLoaderTest, AFailedStartEndsIt) {
  folder_.Add("m", "1", BoastfulModel());
  ModelRepository repository(Settings(RepositoryMode::kFixed), metrics_, clock_);
  ASSERT_TRUE(repository.Read().ok());
  std::promise<absl::Status> started;
  RepositoryLoader loader({}, repository,
                          [&started](const absl::Status& status) { started.set_value(status); });
  EXPECT_FALSE(started.get_future().get().ok());
  EXPECT_TRUE(loader.WaitUntilEnded(std::chrono::hours(1)));
}

}  // namespace
}  // namespace lipserve
