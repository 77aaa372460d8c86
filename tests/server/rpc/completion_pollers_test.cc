// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/completion_pollers.h"

#include <grpcpp/alarm.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/rpc/completion_event.h"

namespace lipserve {
namespace {

// What one poller did, in order: e for an event, a for a look at the requests, c for cleaning up.
class Diary {
 public:
  void Add(char entry) {
    MutexLock lock(mutex_);
    entries_.push_back(entry);
    changed_.NotifyAll();
  }
  // Waits until `entry` stands there `count` times.
  std::string WaitFor(char entry, std::ptrdiff_t count) {
    MutexLock lock(mutex_);
    while (std::count(entries_.begin(), entries_.end(), entry) < count) changed_.Wait(mutex_);
    return entries_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::string entries_ ABSL_GUARDED_BY(mutex_);
};

class DiaryEvent final : public CompletionEvent {
 public:
  explicit DiaryEvent(Diary& diary) : diary_(diary) {}
  void Dispatch(bool /*ok*/) override { diary_.Add('e'); }

 private:
  Diary& diary_;
};

class DiaryWork final : public PollerWork {
 public:
  DiaryWork(Diary& diary, std::size_t requests_at_a_look)
      : diary_(diary), requests_at_a_look_(requests_at_a_look) {}
  std::size_t AnswerQuickRequests() override {
    diary_.Add('a');
    return requests_at_a_look_;
  }
  void CleanUp() override { diary_.Add('c'); }
  bool MayBusyPoll() const override { return true; }

 private:
  Diary& diary_;
  std::size_t requests_at_a_look_;
};

// Puts events on the queue one round after the other, and returns what one poller did.
std::string RunRounds(std::size_t requests_at_a_look, int rounds,
                      std::chrono::nanoseconds busy_poll = {}) {
  Diary diary;
  DiaryEvent event(diary);
  grpc::CompletionQueue queue;
  const auto new_work = [&] { return std::make_unique<DiaryWork>(diary, requests_at_a_look); };
  auto pollers = CompletionPollers::Start(1, queue, new_work, busy_poll, [] {
                   return absl::OkStatus();
                 }).value();
  pollers->Begin();
  std::vector<grpc::Alarm> alarms(static_cast<std::size_t>(rounds));
  std::string entries;
  for (int i = 0; i < rounds; ++i) {
    alarms[static_cast<std::size_t>(i)].Set(&queue, gpr_now(GPR_CLOCK_MONOTONIC), &event);
    entries = diary.WaitFor('c', i + 1);
  }
  return entries;
}

TEST(CompletionPollersTest, AnswersALoneRequestBeforeItLooksForMore) {
  EXPECT_EQ(RunRounds(0, 2), "eaaceaac");
}

TEST(CompletionPollersTest, LooksForMoreFirstWhileThereAreSeveral) {
  // From the second round on, requests are gathered.
  EXPECT_EQ(RunRounds(2, 3), "eaaceaceac");
}

TEST(CompletionPollersTest, GivesNoEventAwayWhilePollingBusily) {
  // One request at each look: two in the first round, so that the second one gathers.
  const std::string expected = "eaaceaceaac";
  EXPECT_EQ(RunRounds(1, 3), expected);
  // Each event comes within the busy poll after the one before, then after its end.
  EXPECT_EQ(RunRounds(1, 3, std::chrono::hours(1)), expected);
  EXPECT_EQ(RunRounds(1, 3, std::chrono::nanoseconds(1)), expected);
}

TEST(CompletionPollersTest, StartFailsIfAThreadFailsItsCheck) {
  grpc::CompletionQueue queue;
  const auto pollers = CompletionPollers::Start(
      2, queue, [] { return nullptr; }, {}, [] { return absl::InternalError("cannot round"); });
  EXPECT_EQ(pollers.status().code(), absl::StatusCode::kInternal);
  queue.Shutdown();
}

}  // namespace
}  // namespace lipserve
