// SPDX-License-Identifier: Apache-2.0
#include "server/repository/loads_aside.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

namespace lipserve {
namespace {

using Result = LoadsAside::Result;

// Work that ends when it is told to, or when it is stopped.
class Gate {
 public:
  LoadsAside::Work work() {
    return [this](const StopCheck& stop) -> Result {
      begun_.set_value();
      while (!open_.load() && !stop()) std::this_thread::yield();
      return stop() ? absl::CancelledError("stopped") : absl::InternalError("opened");
    };
  }
  void WaitUntilBegun() { begun_.get_future().wait(); }
  void Open() { open_.store(true); }

 private:
  std::promise<void> begun_;
  std::atomic<bool> open_{false};
};

absl::Status Pass() { return absl::OkStatus(); }

class LoadsAsideTest : public ::testing::Test {
 protected:
  static Result ResultOf(LoadsAside::Load& load) {
    while (true) {
      if (std::optional<Result> result = load.TakeResult()) return *std::move(result);
      std::this_thread::yield();
    }
  }

  LoadsAside loads_{100.0};
};

TEST_F(LoadsAsideTest, NoneStartsBeforeItIsEnabled) {
  Gate gate;
  EXPECT_FALSE(loads_.IsEnabled());
  EXPECT_EQ(loads_.TryStart(1.0, gate.work()), nullptr);
}

TEST_F(LoadsAsideTest, ALoadGoesOnBesideItsCallerAndTellsItsEnd) {
  std::promise<void> ended;
  loads_.Enable(Pass, [&ended] { ended.set_value(); });
  Gate gate;
  const auto load = loads_.TryStart(1.0, gate.work());
  ASSERT_NE(load, nullptr);
  gate.WaitUntilBegun();
  EXPECT_FALSE(load->TakeResult().has_value());
  gate.Open();
  ended.get_future().wait();
  loads_.WaitUntilOneEnds();
  EXPECT_EQ(load->TakeResult()->status().message(), "opened");
  EXPECT_FALSE(load->TakeResult().has_value());  // once only
  loads_.JoinEnded();
}

TEST_F(LoadsAsideTest, OnlyWhatFitsIntoMemoryRunsAtOnce) {
  loads_.Enable(Pass, [] {});
  Gate large;
  Gate small;
  Gate refused;
  const auto first = loads_.TryStart(150.0, large.work());  // alone, even above the limit
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(loads_.TryStart(1.0, refused.work()), nullptr);
  large.Open();
  ResultOf(*first).IgnoreError();
  loads_.JoinEnded();
  Gate other;
  const auto second = loads_.TryStart(60.0, small.work());
  const auto third = loads_.TryStart(40.0, other.work());
  EXPECT_NE(second, nullptr);
  EXPECT_NE(third, nullptr);
  EXPECT_EQ(loads_.TryStart(1.0, refused.work()), nullptr);
  loads_.Stop();
}

TEST_F(LoadsAsideTest, ACancelledLoadEndsSoon) {
  loads_.Enable(Pass, [] {});
  Gate gate;
  const auto load = loads_.TryStart(1.0, gate.work());
  gate.WaitUntilBegun();
  load->Cancel();
  EXPECT_TRUE(absl::IsCancelled(ResultOf(*load).status()));
}

TEST_F(LoadsAsideTest, StopCancelsAndWaitsAndStartsNoMore) {
  loads_.Enable(Pass, [] {});
  Gate gate;
  const auto load = loads_.TryStart(1.0, gate.work());
  loads_.Stop();
  EXPECT_TRUE(absl::IsCancelled(load->TakeResult()->status()));
  EXPECT_EQ(loads_.TryStart(1.0, gate.work()), nullptr);
}

TEST_F(LoadsAsideTest, AThreadThatFailsItsCheckLoadsNothing) {
  loads_.Enable([] { return absl::InternalError("flushes to zero"); }, [] {});
  Gate gate;
  const auto load = loads_.TryStart(1.0, gate.work());
  EXPECT_EQ(ResultOf(*load).status().message(), "flushes to zero");
}

}  // namespace
}  // namespace lipserve
