// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/exact_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "model/arithmetic/floating_point_canary.h"
#include "server/operations/request_error.h"
#include "server/scheduling/batch_executor.h"
#include "tests/model/crafted_inputs.h"
#include "tests/server/fake_task.h"
#include "tests/server/small_model.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

// A clock that goes on whenever it is read.
class CountingClock final : public Clock {
 public:
  explicit CountingClock(milliseconds step = milliseconds(1)) : step_(step) {}
  TimePoint Now() const override { return start_ + ++reads_ * step_; }
  int reads() const { return reads_; }

 private:
  const milliseconds step_;
  TimePoint start_{std::chrono::hours(1)};
  mutable int reads_ = 0;
};

std::vector<float> NearTieOf(const ServedModel& model) {
  const CertifiedModel& certified = model.certified();
  const auto worker = certified.NewWorker();
  const ClassOfInput class_of = [&](const std::vector<float>& x) {
    Answer answer;
    certified.Classify({x.data(), 1, x.size()}, *worker, {&answer, 1});
    return answer.class_index;
  };
  const std::vector<float> a = RandomInputs(1, 1);
  for (std::uint64_t seed = 2;; ++seed) {
    std::vector<float> b = RandomInputs(seed, 1);
    for (float& number : b) number = 4.0F * number - 2.0F;
    if (class_of(a) != class_of(b)) return NearTie(class_of, a, b, 2);
  }
}

class ExactStageTest : public ::testing::Test {
 protected:
  // `ordinary` images, then `undecided` ones.
  FakeTask NewTask(std::size_t ordinary, std::size_t undecided) {
    std::vector<float> inputs = RandomInputs(1, ordinary);
    for (std::size_t i = 0; i < undecided; ++i) {
      inputs.insert(inputs.end(), near_tie_.begin(), near_tie_.end());
    }
    FakeTask task(served_.model, std::move(inputs));
    task.SetTimes(clock_.Now(), Clock::TimePoint::max());
    return task;
  }

  void Execute(std::vector<ClassificationTask*> batch) { executor_.Execute(batch); }

  const SmallServedModel served_;
  const std::vector<float> near_tie_ = NearTieOf(*served_.model);
  FakeClock clock_;
  PromptDelivery delivery_;
  Metrics metrics_{BuildInfo{}};
  ExactStage stage_{4, metrics_, clock_};  // without a thread, so that it decides in Finish
  BatchExecutor executor_{clock_, delivery_, stage_};
};

TEST_F(ExactStageTest, DecidesWhatTheExecutorLeavesWhileNeighboursAreAnswered) {
  FakeTask before = NewTask(2, 0);
  FakeTask undecided = NewTask(1, 2);
  FakeTask after = NewTask(1, 0);
  Execute({&before, &undecided, &after});
  ExpectOwnAnswers(before);
  ExpectOwnAnswers(after);
  EXPECT_FALSE(undecided.status.has_value());
  EXPECT_FALSE(stage_.IsIdle());
  EXPECT_THAT(served_.metrics->Text(),
              HasSubstr("lipserve_certified_radius_count{model=\"small\",version=\"1\"} 3"));
  stage_.Finish();
  ExpectOwnAnswers(undecided);
  EXPECT_EQ(undecided.answers[1].decided_by, DecidedBy::kExact);
  EXPECT_FALSE(undecided.answers[1].is_undecided);
  EXPECT_EQ(undecided.answers[1].radius_l2, 0.0);
  EXPECT_TRUE(stage_.IsIdle());
}

TEST_F(ExactStageTest, ItsThreadAnswers) {
  ASSERT_TRUE(stage_.StartThread(CheckStrictFloatingPoint).ok());
  std::vector<FakeTask> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(NewTask(0, 1));
  for (FakeTask& task : tasks) Execute({&task});
  stage_.Finish();
  for (const FakeTask& task : tasks) ExpectOwnAnswers(task);
}

TEST_F(ExactStageTest, AMissedDeadlineIsAnErrorAndNeverAClass) {
  FakeTask task = NewTask(1, 1);
  task.SetTimes(clock_.Now(), clock_.Now() + milliseconds(5));
  Execute({&task});
  clock_.Advance(milliseconds(5));
  stage_.Finish();
  ASSERT_TRUE(task.status.has_value());
  EXPECT_TRUE(absl::IsDeadlineExceeded(*task.status)) << *task.status;
  EXPECT_THAT(std::string(task.status->message()), HasSubstr("exact stage"));
  EXPECT_TRUE(task.answers.empty());
}

// However early it passes: before the first image, between images or between layers.
TEST_F(ExactStageTest, TheDeadlineIsLookedAtWithinAnImage) {
  CountingClock counting;
  int reads = 0;
  for (int deadline = 1;; ++deadline) {
    ExactStage stage(4, metrics_, counting);
    FakeTask task = NewTask(0, 2);
    std::vector<Answer> answers(2);
    for (Answer& answer : answers) answer.is_undecided = true;
    const int before = counting.reads();
    task.SetTimes(counting.Now(), counting.Now() + milliseconds(deadline));
    stage.Submit(task, answers);
    stage.Finish();
    ASSERT_TRUE(task.status.has_value());
    if (task.status->ok()) {
      ExpectOwnAnswers(task);
      break;
    }
    ASSERT_TRUE(absl::IsDeadlineExceeded(*task.status));
    ASSERT_TRUE(task.answers.empty());
    ASSERT_LE(counting.reads() - before, deadline + 5);  // stops soon
    reads = counting.reads() - before;
  }
  EXPECT_GE(reads, 2 * 3);  // at least three times for each image
}

// The clock goes on by 20 ms within an image, which is a whole turn.
TEST_F(ExactStageTest, ACallOfManyImagesLetsOthersGoFirst) {
  CountingClock slow(milliseconds(20));
  ExactStage stage(20, metrics_, slow);
  std::vector<std::string> completed;
  FakeTask many = NewTask(0, 4);
  FakeTask one = NewTask(0, 1);
  FakeTask another = NewTask(0, 1);
  const auto submit = [&](FakeTask& task, const std::string& name) {
    std::vector<Answer> answers(task.images().num_images);
    for (Answer& answer : answers) answer.is_undecided = true;
    task.completed = [&completed, name] { completed.push_back(name); };
    stage.Submit(task, answers);
  };
  submit(many, "many");
  submit(one, "one");
  submit(another, "another");
  stage.Finish();
  EXPECT_THAT(completed, ::testing::ElementsAre("one", "another", "many"));
  for (const FakeTask* task : {&many, &one, &another}) ExpectOwnAnswers(*task);
}

TEST_F(ExactStageTest, DropsTheCancelled) {
  FakeTask task = NewTask(0, 1);
  Execute({&task});
  task.cancelled = true;
  stage_.Finish();
  ASSERT_TRUE(task.status.has_value());
  EXPECT_TRUE(absl::IsCancelled(*task.status));
  EXPECT_TRUE(task.answers.empty());
}

TEST_F(ExactStageTest, WhatDoesNotFitItsQueueIsRefusedWithADelay) {
  FakeTask first = NewTask(0, 3);
  FakeTask second = NewTask(0, 2);
  FakeTask ordinary = NewTask(2, 0);
  Execute({&first});
  Execute({&second});
  Execute({&ordinary});
  ASSERT_TRUE(second.status.has_value());
  EXPECT_TRUE(absl::IsResourceExhausted(*second.status));
  EXPECT_THAT(std::string(second.status->message()),
              HasSubstr("the queue of the exact stage for model small is full: 3 of 4"));
  ASSERT_TRUE(RetryDelay(*second.status).has_value());
  EXPECT_GE(*RetryDelay(*second.status), milliseconds(1));
  ExpectOwnAnswers(ordinary);  // the same model's
  stage_.Finish();
  ExpectOwnAnswers(first);
}

TEST_F(ExactStageTest, RefusesNewTasksOnceItIsFinished) {
  stage_.Finish();
  FakeTask task = NewTask(0, 1);
  Execute({&task});
  ASSERT_TRUE(task.status.has_value());
  EXPECT_TRUE(absl::IsUnavailable(*task.status));
}

TEST_F(ExactStageTest, ItsTimeIsThatOfTheLastImages) {
  const ServedModel& model = *served_.model;
  EXPECT_EQ(model.ExpectedExactTime(3), 3 * model.ExpectedExactTime(1));
  EXPECT_GT(model.ExpectedExactTime(1), model.ExpectedTime(1));
  for (int i = 0; i < 100; ++i) model.ObserveExactTime(milliseconds(7));
  EXPECT_NEAR(static_cast<double>(model.ExpectedExactTime(1).count()), 7e6, 100.0);
  RequestQueue queue(10, metrics_, RequestQueue::Stage::kExact);
  FakeTask task = NewTask(0, 2);
  ASSERT_TRUE(queue.Admit(task, ComputedBy::kWorker).ok());
  EXPECT_EQ(queue.ExpectedWait(model), model.ExpectedExactTime(2));
  std::vector<ClassificationTask*> batch;
  ASSERT_TRUE(queue.TakeBatch(batch));
  queue.BatchDone();
}

TEST_F(ExactStageTest, ZeroImagesWithoutBiasesNeverReachIt) {
  FrozenModel frozen = SmallModel();
  frozen.network = WithoutBias(std::move(frozen.network));
  const auto model = ServedModel::Load("plain", 1, std::move(frozen), 4, metrics_, clock_).value();
  FakeTask task(model, std::vector<float>(3 * kSmallInputSize));
  task.SetTimes(clock_.Now(), Clock::TimePoint::max());
  Execute({&task});
  ExpectOwnAnswers(task);
  EXPECT_EQ(task.answers[0].class_index, 0U);
}

// In a server whose pollers would compute every call themselves.
TEST(ExactStageServerTest, AnswersWhileTheServerServesAndWhenItStops) {
  const SmallServedModel served;
  const std::vector<float> near_tie = NearTieOf(*served.model);
  TemporaryModels folder;
  folder.Add("small", "1", SmallModel());
  ServerOptions options = TestOptions(folder);
  options.inline_budget = std::chrono::seconds(1);
  TestServer server(options);
  v1::ClassifyResponse response;
  const grpc::Status status = server.Classify(Fp32Request("small", near_tie), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.classifications_size(), 1);
  EXPECT_EQ(response.classifications(0).certified_radius_l2(), 0.0);
  EXPECT_THAT(server.Metrics(),
              HasSubstr("lipserve_decided_total{by=\"exact\",model=\"small\",version=\"1\"} 1\n"));
  AsyncCalls calls(server.stub(), Fp32Request("small", near_tie));
  constexpr int kCalls = 20;
  for (int i = 0; i < kCalls; ++i) calls.Start();
  ASSERT_TRUE(calls.Wait().status.ok());
  server.server().Stop();
  for (int i = 1; i < kCalls; ++i) {
    const grpc::StatusCode code = calls.Wait().status.error_code();
    EXPECT_TRUE(code == grpc::StatusCode::OK || code == grpc::StatusCode::UNAVAILABLE) << code;
  }
}

}  // namespace
}  // namespace lipserve
