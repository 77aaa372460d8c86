// SPDX-License-Identifier: Apache-2.0
// Loads that take long: nothing else waits for them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "server/repository/model_repository.h"
#include "server/repository/repository_loader.h"
#include "tests/server/repository_fixture.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

// Every load goes on aside, and its thread waits at the check until Release.
class RepositoryAsideTest : public RepositoryFixture {
 protected:
  ~RepositoryAsideTest() override {
    Release();
    loader_.reset();  // its threads ask Check
    repository_.reset();
  }

  void Start(
      RepositoryMode mode, const std::function<void(ModelRepository::Settings&)>& change =
                               [](ModelRepository::Settings&) {}) {
    ModelRepository::Settings settings = Settings(mode);
    settings.most_operations_at_once = 0.0;
    change(settings);
    repository_ = std::make_unique<ModelRepository>(settings, metrics_, clock_);
    ASSERT_TRUE(repository_->Read().ok());
    loader_ = std::make_unique<RepositoryLoader>(
        RepositoryLoader::Settings{.poll_interval = {}, .check = [this] { return Check(); }},
        *repository_, [this](const absl::Status& status) { started_.set_value(status); });
  }

  // Holds one load of the start.
  void HoldFirstLoad() { checks_before_hold_ = 1; }
  // Holds the load that begins next.
  void HoldNext() { hold_next_.store(true); }
  void WaitUntilHeld() {
    while (!held_.load()) std::this_thread::yield();
  }
  void Release() { released_.store(true); }

  std::future<absl::Status> Load(const std::string& name) {
    auto outcome = std::make_shared<std::promise<absl::Status>>();
    loader_->Load(name, [outcome](const absl::Status& status) { outcome->set_value(status); });
    return outcome->get_future();
  }
  absl::Status Unload(const std::string& name) {
    std::promise<absl::Status> outcome;
    loader_->Unload(name, [&outcome](const absl::Status& status) { outcome.set_value(status); });
    return outcome.get_future().get();
  }
  void Poll() {
    std::promise<void> done;
    loader_->Poll([&done](const absl::Status&) { done.set_value(); });
    done.get_future().wait();
  }
  static bool IsPending(const std::future<absl::Status>& outcome) {
    return outcome.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
  }

  std::promise<absl::Status> started_;
  std::unique_ptr<ModelRepository> repository_;
  std::unique_ptr<RepositoryLoader> loader_;

 private:
  absl::Status Check() {
    if (checks_before_hold_.load() >= 0 && checks_before_hold_.fetch_sub(1) == 0) HoldNext();
    if (hold_next_.exchange(false)) {
      held_.store(true);
      while (!released_.load()) std::this_thread::yield();
    }
    return absl::OkStatus();
  }

  std::atomic<int> checks_before_hold_{-1};
  std::atomic<bool> hold_next_{false};
  std::atomic<bool> held_{false};
  std::atomic<bool> released_{false};
};

TEST_F(RepositoryAsideTest, ASlowLoadDelaysNoOtherRequest) {
  AddVersion("slow", 1);
  AddVersion("other", 1);
  Start(RepositoryMode::kExplicit);
  ASSERT_TRUE(started_.get_future().get().ok());
  HoldNext();
  std::future<absl::Status> slow = Load("slow");
  WaitUntilHeld();
  EXPECT_EQ(Indexed(*repository_, "slow", 1), "LOADING");
  EXPECT_TRUE(Load("other").get().ok());
  EXPECT_EQ(Served(*repository_, "other"), "1");
  EXPECT_TRUE(Unload("other").ok());
  EXPECT_TRUE(IsPending(slow));
  Release();
  EXPECT_TRUE(slow.get().ok());
  EXPECT_EQ(Served(*repository_, "slow"), "1");
}

TEST_F(RepositoryAsideTest, UnloadEndsALoad) {
  AddVersion("slow", 1);
  Start(RepositoryMode::kExplicit);
  ASSERT_TRUE(started_.get_future().get().ok());
  HoldNext();
  std::future<absl::Status> slow = Load("slow");
  WaitUntilHeld();
  EXPECT_TRUE(Unload("slow").ok());
  EXPECT_TRUE(absl::IsAborted(slow.get()));
  EXPECT_EQ(Indexed(*repository_, "slow", 1), "UNAVAILABLE: not loaded");
  Release();
  EXPECT_TRUE(Load("slow").get().ok());
}

TEST_F(RepositoryAsideTest, AFileThatChangesMeanwhileIsLoadedInItsPlace) {
  AddVersion("m", 1, 1);
  Start(RepositoryMode::kPoll, [](auto& settings) { settings.skip_bad_models = true; });
  ASSERT_TRUE(started_.get_future().get().ok());
  HoldNext();
  AddVersion("m", 2, 2);
  Poll();
  WaitUntilHeld();
  AddVersion("m", 2, 3);
  Poll();
  while (!repository_->catalog()->Find("m", 2).ok()) std::this_thread::yield();
  FrozenModel expected = SmallModel(3);
  ASSERT_TRUE(WriteModelFile(folder_.path() + "/expected.lip", expected).ok());
  EXPECT_EQ((*repository_->catalog()->Find("m", 2))->frozen().digest, expected.digest);
}

TEST_F(RepositoryAsideTest, AStopEndsLoadsAndAnswersThoseWhoWait) {
  AddVersion("slow", 1);
  Start(RepositoryMode::kExplicit);
  ASSERT_TRUE(started_.get_future().get().ok());
  HoldNext();
  std::future<absl::Status> slow = Load("slow");
  WaitUntilHeld();
  loader_->RequestStop();
  Release();
  EXPECT_TRUE(absl::IsUnavailable(slow.get()));
  EXPECT_TRUE(loader_->WaitUntilEnded(std::chrono::hours(1)));
  EXPECT_EQ(Served(*repository_, "slow"), "");
}

TEST_F(RepositoryAsideTest, ARefusedModelIsReportedAsBefore) {
  folder_.Add("bad", "1", BoastfulModel());
  Start(RepositoryMode::kExplicit);
  ASSERT_TRUE(started_.get_future().get().ok());
  EXPECT_THAT(std::string(Load("bad").get().message()), HasSubstr("the file claims"));
  EXPECT_THAT(Indexed(*repository_, "bad", 1), HasSubstr("the file claims"));
}

TEST_F(RepositoryAsideTest, TheStartDoesNotWaitForAllIfBadModelsAreSkipped) {
  AddVersion("a", 1);
  AddVersion("b", 1);
  HoldFirstLoad();
  Start(RepositoryMode::kFixed, [](auto& settings) { settings.skip_bad_models = true; });
  ASSERT_TRUE(started_.get_future().get().ok());
  WaitUntilHeld();
  const bool serves_a = Served(*repository_, "a") == "1";
  EXPECT_EQ(Served(*repository_, serves_a ? "a" : "b"), "1");
  EXPECT_EQ(Indexed(*repository_, serves_a ? "b" : "a", 1), "LOADING");
  Release();
  while (Served(*repository_, serves_a ? "b" : "a") != "1") std::this_thread::yield();
}

TEST_F(RepositoryAsideTest, TheStartWaitsForAllOtherwise) {
  AddVersion("a", 1);
  AddVersion("b", 1);
  HoldFirstLoad();
  Start(RepositoryMode::kFixed);
  std::future<absl::Status> started = started_.get_future();
  WaitUntilHeld();
  EXPECT_TRUE(IsPending(started));
  Release();
  EXPECT_TRUE(started.get().ok());
  EXPECT_EQ(Served(*repository_, "a") + Served(*repository_, "b"), "11");
}

TEST_F(RepositoryAsideTest, LoadsThatDoNotFitIntoMemoryTogetherRunInTurn) {
  for (const char* name : {"a", "b", "c"}) AddVersion(name, 1);
  const double bytes = CostOfLoading(SmallModel().network, 4).bytes;
  Start(RepositoryMode::kExplicit,
        [bytes](auto& settings) { settings.budget.bytes = 1.5 * bytes; });
  ASSERT_TRUE(started_.get_future().get().ok());
  HoldNext();
  std::future<absl::Status> a = Load("a");
  WaitUntilHeld();
  std::future<absl::Status> b = Load("b");
  std::future<absl::Status> c = Load("c");
  Poll();  // after them in the queue
  EXPECT_TRUE(IsPending(b) && IsPending(c));
  EXPECT_EQ(Indexed(*repository_, "b", 1), "UNAVAILABLE: not loaded");
  Release();
  EXPECT_TRUE(a.get().ok());
  EXPECT_TRUE(b.get().ok());
  EXPECT_TRUE(c.get().ok());
}

// What the budget refuses.
TEST_F(RepositoryAsideTest, AModelAboveTheBudgetIsRefusedBeforeAnythingIsProven) {
  AddVersion("m", 1);
  ModelRepository::Settings settings = Settings(RepositoryMode::kFixed);
  settings.budget.operations = 1000.0;
  ModelRepository repository(settings, metrics_, clock_);
  const std::string error(repository.Read().message());
  EXPECT_THAT(error, HasSubstr("m/1/model.lip: loading takes"));
  EXPECT_THAT(error, HasSubstr("--max-load-operations"));
}

}  // namespace
}  // namespace lipserve
