// SPDX-License-Identifier: Apache-2.0
#include "server/operations/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kModel[] = "model=\"m\",version=\"3\"";

class MetricsTest : public ::testing::Test {
 protected:
  Metrics metrics_{BuildInfo{.version = "1.2.3",
                             .instruction_set = "avx2",
                             .onednn_version = "2.6.3",
                             .grpc_version = "1.51.1"}};
};

Answer AnswerWithRadius(double radius, DecidedBy decided_by = DecidedBy::kFloat32) {
  Answer answer;
  answer.radius_l2 = radius;
  answer.decided_by = decided_by;
  return answer;
}

TEST_F(MetricsTest, SaysWhatTheServerIsBuiltOf) {
  EXPECT_THAT(metrics_.Text(), HasSubstr("lipserve_build_info{grpc=\"1.51.1\",isa=\"avx2\","
                                         "onednn=\"2.6.3\",version=\"1.2.3\"} 1"));
}

TEST_F(MetricsTest, KnowsTheProcess) {
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, AllOf(HasSubstr("\nprocess_resident_memory_bytes "),
                          HasSubstr("\nprocess_cpu_seconds_total "),
                          HasSubstr("\nprocess_open_fds "), HasSubstr("\nprocess_max_fds ")));
  EXPECT_THAT(text, AllOf(Not(HasSubstr("\nprocess_resident_memory_bytes 0\n")),
                          Not(HasSubstr("\nprocess_open_fds 0\n"))));
}

TEST_F(MetricsTest, TheProcessStartedBeforeNowAndAfterTheYear2020) {
  const std::string text = metrics_.Text();
  const std::string name = "\nprocess_start_time_seconds ";
  const double start = std::strtod(text.c_str() + text.find(name) + name.size(), nullptr);
  EXPECT_GT(start, 1577836800.0);
  // The kernel's clock tick and the rounding of the boot time allow a second.
  EXPECT_LE(start, static_cast<double>(std::time(nullptr)) + 1.0);
}

TEST_F(MetricsTest, HasNoSeriesOfAModelBeforeItIsServed) {
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("model=")));
}

TEST_F(MetricsTest, CountsRequestsByMethodAndCodeOnceTheyHappen) {
  const std::shared_ptr<ModelMetrics> model = metrics_.ForModel("m", 3);
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("lipserve_requests_total{")));
  model->CountRequest(RpcMethod::kClassify, absl::StatusCode::kOk, 1e-4);
  model->CountRequest(RpcMethod::kClassify, absl::StatusCode::kOk, 1e-4);
  model->CountRequest(RpcMethod::kDescribeModel, absl::StatusCode::kOk, 1e-4);
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("lipserve_requests_total{code=\"OK\",method=\"Classify\"," +
                              std::string(kModel) + "} 2\n"));
  EXPECT_THAT(text, HasSubstr("lipserve_requests_total{code=\"OK\",method=\"DescribeModel\"," +
                              std::string(kModel) + "} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("INVALID_ARGUMENT")));
  EXPECT_THAT(text, Not(HasSubstr("lipserve_rejected_total{")));
  // Only Classify has a duration, so that the quantiles are those of one thing.
  EXPECT_THAT(
      text, HasSubstr("lipserve_request_duration_seconds_count{" + std::string(kModel) + "} 2\n"));
}

TEST_F(MetricsTest, CountsEachRejectionUnderItsReason) {
  using Code = absl::StatusCode;
  const std::vector<std::pair<Code, std::string>> reasons = {
      {Code::kInvalidArgument, "invalid"},
      {Code::kResourceExhausted, "queue_full"},
      {Code::kDeadlineExceeded, "deadline"},
      {Code::kCancelled, "cancelled"},
      {Code::kUnavailable, "unavailable"}};
  const std::shared_ptr<ModelMetrics> model = metrics_.ForModel("m", 3);
  for (const auto& [code, reason] : reasons) {
    model->CountRequest(RpcMethod::kClassify, code, 1e-4);
    EXPECT_THAT(metrics_.Text(), HasSubstr("lipserve_rejected_total{model=\"m\",reason=\"" +
                                           reason + "\",version=\"3\"} 1\n"));
  }
}

TEST_F(MetricsTest, CallsWithoutAModelShareOneSetOfSeries) {
  metrics_.ForNoModel().CountRequest(RpcMethod::kClassify, absl::StatusCode::kNotFound, 1e-4);
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("lipserve_requests_total{code=\"NOT_FOUND\",method=\"Classify\","
                              "model=\"\",version=\"\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("lipserve_rejected_total{model=\"\",reason=\"not_found\","
                              "version=\"\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("duration_seconds_count{")));
}

TEST_F(MetricsTest, AHistogramResolvesMicroseconds) {
  const std::shared_ptr<ModelMetrics> model = metrics_.ForModel("m", 3);
  model->ObserveQueueDelay(3e-6);
  model->ObserveBatch({.images = 4, .computing = std::chrono::microseconds(30)});
  const std::string text = metrics_.Text();
  const std::string queue = "lipserve_queue_duration_seconds_bucket{" + std::string(kModel);
  EXPECT_THAT(text, HasSubstr(queue + ",le=\"2.5e-06\"} 0\n"));
  EXPECT_THAT(text, HasSubstr(queue + ",le=\"5e-06\"} 1\n"));
  const std::string compute = "lipserve_compute_duration_seconds_bucket{" + std::string(kModel);
  EXPECT_THAT(text, HasSubstr(compute + ",le=\"2.5e-05\"} 0\n"));
  EXPECT_THAT(text, HasSubstr(compute + ",le=\"5e-05\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("lipserve_batch_size_sum{" + std::string(kModel) + "} 4\n"));
}

TEST_F(MetricsTest, TellsCertifiedAnswersFromAbstentions) {
  std::vector<Answer> answers = {AnswerWithRadius(1.5), AnswerWithRadius(0.25),
                                 AnswerWithRadius(0.4, DecidedBy::kFloat64),
                                 AnswerWithRadius(0.0, DecidedBy::kExact)};
  const std::shared_ptr<ModelMetrics> model = metrics_.ForModel("m", 3);
  model->ObserveAnswers(answers);
  std::string text = metrics_.Text();
  const std::string m = kModel;
  EXPECT_THAT(text, HasSubstr("outcome=\"certified\",version=\"3\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("outcome=\"abstain\",version=\"3\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("lipserve_certified_radius_bucket{" + m + ",le=\"0\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("lipserve_certified_radius_sum{" + m + "} 2.15\n"));
  EXPECT_THAT(text, HasSubstr("lipserve_decided_total{by=\"float32\"," + m + "} 2\n"));
  EXPECT_THAT(text, HasSubstr("lipserve_decided_total{by=\"float64\"," + m + "} 1\n"));
  EXPECT_THAT(text, HasSubstr("lipserve_decided_total{by=\"exact\"," + m + "} 1\n"));
  EXPECT_THAT(text, HasSubstr("lipserve_stage_disagreements_total{" + m + "} 0\n"));
  answers[0].stages_disagreed = true;
  model->ObserveAnswers(answers);
  EXPECT_THAT(metrics_.Text(), HasSubstr("lipserve_stage_disagreements_total{" + m + "} 1\n"));
}

TEST_F(MetricsTest, ARadiusIsCountedBelowEveryPublishedEpsilonThatItReaches) {
  const std::vector<Answer> answers = {AnswerWithRadius(1.58)};
  const std::shared_ptr<ModelMetrics> model = metrics_.ForModel("m", 3);
  model->ObserveAnswers(answers);
  const std::string text = metrics_.Text();
  const std::string bucket = "lipserve_certified_radius_bucket{" + std::string(kModel);
  for (const char* epsilon : {"0.25", "0.5", "1", "1.25"}) {
    EXPECT_THAT(text, HasSubstr(bucket + ",le=\"" + epsilon + "\"} 0\n"));
  }
  EXPECT_THAT(text, HasSubstr(bucket + ",le=\"1.58\"} 1\n"));
}

TEST_F(MetricsTest, TellsWhatTrainingPromised) {
  const std::shared_ptr<ModelMetrics> model = metrics_.ForModel("m", 3);
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("certified_accuracy_ratio{")));
  model->SetTrainingCertifiedAccuracy(1.58, 0.875);
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("lipserve_model_training_certified_accuracy_ratio{epsilon=\"1.58\"," +
                        std::string(kModel) + "} 0.875\n"));
}

TEST_F(MetricsTest, TellsWhatThereIsToUse) {
  metrics_.SetComputeWorkers(3);
  const auto model = metrics_.ForModel("m", 1);
  model->SetQueueCapacity(1024);
  model->AddQueueDepth(7);
  model->AddQueueDepth(-3);
  EXPECT_THAT(metrics_.Text(),
              AllOf(HasSubstr("lipserve_compute_workers 3\n"),
                    HasSubstr("lipserve_model_queue_capacity{model=\"m\",version=\"1\"} 1024\n"),
                    HasSubstr("lipserve_model_queue_depth{model=\"m\",version=\"1\"} 4\n")));
}

TEST_F(MetricsTest, GaugesGoUpAndDown) {
  metrics_.AddQueueDepth(5);
  metrics_.AddQueueDepth(-2);
  metrics_.AddInflight(1);
  EXPECT_THAT(metrics_.Text(), AllOf(HasSubstr("lipserve_queue_depth 3\n"),
                                     HasSubstr("lipserve_inflight_requests 1\n")));
}

TEST_F(MetricsTest, TheSameVersionHasTheSameSeries) {
  const std::shared_ptr<ModelMetrics> model = metrics_.ForModel("m", 3);
  EXPECT_EQ(metrics_.ForModel("m", 3), model);
  EXPECT_NE(metrics_.ForModel("m", 4), model);
}

TEST_F(MetricsTest, ThousandVersionsOneAfterTheOtherLeaveNothingBehind) {
  const std::string before = metrics_.Text();
  for (std::int64_t version = 1; version <= 1000; ++version) {
    const std::shared_ptr<ModelMetrics> model = metrics_.ForModel("m", version);
    model->CountRequest(RpcMethod::kClassify, absl::StatusCode::kOk, 1e-4);
    model->CountRequest(RpcMethod::kClassify, absl::StatusCode::kInvalidArgument, 1e-4);
    model->SetTrainingCertifiedAccuracy(1.58, 0.875);
    model->SetLoaded(0.5);
    model->SetTrainingCertifiedAccuracy(0.5, 0.9);
  }
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("model=\"m\"")));
  EXPECT_LT(metrics_.Text().size(), before.size() + 100);
}

TEST_F(MetricsTest, SeriesThatAreTakenOverGoWithTheLastWhoHasThem) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int n = 0; n < 200; ++n) {
        metrics_.ForModel("m", 3)->CountRequest(RpcMethod::kClassify, absl::StatusCode::kOk, 1e-4);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("model=\"m\"")));
}

TEST_F(MetricsTest, TellsOfFilesThatDifferAndOfRepositoryProblems) {
  const std::shared_ptr<ModelMetrics> model = metrics_.ForModel("m", 3);
  model->SetFileDiffers(true);
  metrics_.SetRepositoryProblems(2);
  EXPECT_THAT(metrics_.Text(),
              AllOf(HasSubstr("lipserve_model_file_differs{" + std::string(kModel) + "} 1\n"),
                    HasSubstr("lipserve_repository_problems 2\n")));
}

TEST_F(MetricsTest, ThreadsThatResolveASeriesTogetherLoseNoCount) {
  const std::shared_ptr<ModelMetrics> model = metrics_.ForModel("m", 3);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&model] {
      for (int n = 0; n < 1000; ++n) {
        model->CountRequest(RpcMethod::kClassify, absl::StatusCode::kOk, 1e-4);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(metrics_.Text(), HasSubstr("method=\"Classify\"," + std::string(kModel) + "} 4000"));
}

TEST_F(MetricsTest, HasNoSummary) {
  const std::shared_ptr<ModelMetrics> model = metrics_.ForModel("m", 3);
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("summary")));
}

}  // namespace
}  // namespace lipserve
