// SPDX-License-Identifier: Apache-2.0
// ModelStatistics of a server under load. perf_analyzer stops if the counts of an answer differ.
#include <gtest/gtest.h>

#include <cstdint>
#include <stop_token>
#include <thread>
#include <vector>

#include "tests/server/infer_request.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

void ExpectConsistent(const inference::ModelStatistics& model) {
  const inference::InferStatistics& stats = model.inference_stats();
  for (const auto* part :
       {&stats.queue(), &stats.compute_input(), &stats.compute_infer(), &stats.compute_output()}) {
    ASSERT_EQ(part->count(), stats.success().count());
  }
  ASSERT_GE(stats.success().ns(), stats.queue().ns() + stats.compute_input().ns() +
                                      stats.compute_infer().ns() + stats.compute_output().ns());
  std::uint64_t images = 0;
  std::uint64_t batches = 0;
  for (const inference::InferBatchStatistics& batch : model.batch_stats()) {
    images += batch.batch_size() * batch.compute_infer().count();
    batches += batch.compute_infer().count();
    ASSERT_EQ(batch.compute_input().count(), batch.compute_infer().count());
    ASSERT_EQ(batch.compute_output().count(), batch.compute_infer().count());
  }
  ASSERT_EQ(model.inference_count(), images);
  ASSERT_EQ(model.execution_count(), batches);
  ASSERT_LE(stats.success().count(), images);
}

TEST(ModelStatisticsCallTest, NoAnswerUnderLoadContradictsItself) {
  TemporaryModels folder;
  folder.Add("first", "1", SmallModel(1));
  TestServer server{TestOptions(folder)};
  std::vector<std::jthread> clients;
  for (const std::size_t images : {1U, 1U, 2U, 3U}) {
    clients.emplace_back([&server, images](const std::stop_token& stop) {
      const auto stub =
          inference::GRPCInferenceService::NewStub(ConnectTo(server.server().grpc_address().port));
      const inference::ModelInferRequest request =
          RawInferRequest("first", RandomInputs(5, images));
      while (!stop.stop_requested()) {
        grpc::ClientContext context;
        inference::ModelInferResponse response;
        EXPECT_TRUE(stub->ModelInfer(&context, request, &response).ok());
      }
    });
  }
  for (int i = 0; i < 300; ++i) {
    grpc::ClientContext context;
    inference::ModelStatisticsResponse response;
    ASSERT_TRUE(server.inference().ModelStatistics(&context, {}, &response).ok());
    ASSERT_EQ(response.model_stats_size(), 1);
    ExpectConsistent(response.model_stats(0));
    if (testing::Test::HasFatalFailure()) return;
  }
}

// A client finds its own request in the statistics as soon as it has the answer.
TEST(ModelStatisticsCallTest, AnAnsweredRequestIsCounted) {
  TemporaryModels folder;
  folder.Add("first", "1", SmallModel(1));
  TestServer server{TestOptions(folder)};
  for (std::uint64_t i = 1; i <= 50; ++i) {
    ASSERT_TRUE(server.Classify(Fp32Request("first", RandomInputs(7, 1))).ok());
    grpc::ClientContext context;
    inference::ModelStatisticsResponse response;
    ASSERT_TRUE(server.inference().ModelStatistics(&context, {}, &response).ok());
    ASSERT_EQ(response.model_stats(0).inference_stats().success().count(), i);
  }
}

}  // namespace
}  // namespace lipserve
