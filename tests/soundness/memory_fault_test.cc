// SPDX-License-Identifier: Apache-2.0
// Weights that change in the memory of a running server: the stages are held against each other, so
// whichever copy is hit, an answer is right or it certifies nothing and is counted.
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/certified_model.h"
#include "tests/server/test_server.h"
#include "tests/soundness/own_memory.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LIPSERVE_THREAD_SANITIZER 1
#endif
#endif

namespace lipserve {
namespace {

// All weights of the first layer are this number, so that its copies show in memory in any layout.
constexpr float kWeight = 0x1.2468acp-3F;
constexpr std::size_t kHidden = 32;
constexpr std::size_t kFirstLayerWeights = kHidden * kSmallInputSize;

DenseLayer Proven(DenseLayer dense) {
  dense.claimed_operator_norm_bound =
      BoundOperatorNorm({dense.weights.data(), dense.outputs, dense.inputs}).value();
  return dense;
}

// Class 0 where the sum of the inputs is positive, class 1 where it is negative.
FrozenModel SignOfTheSum() {
  FrozenModel model;
  model.name = "sign";
  model.network.input_shape = {.channels = 1, .height = 4, .width = 4};
  model.network.layers.emplace_back(FlattenLayer{});
  model.network.layers.emplace_back(
      Proven({.inputs = kSmallInputSize,
              .outputs = kHidden,
              .weights = std::vector<float>(kFirstLayerWeights, kWeight),
              .bias = {},
              .claimed_operator_norm_bound = 0.0}));
  model.network.layers.emplace_back(GroupSortLayer{.group_size = 2});
  std::vector<float> rows(2 * kHidden, 0.25F);
  std::fill(rows.begin() + kHidden, rows.end(), -0.25F);
  model.network.layers.emplace_back(Proven({.inputs = kHidden,
                                            .outputs = 2,
                                            .weights = std::move(rows),
                                            .bias = {},
                                            .claimed_operator_norm_bound = 0.0}));
  model.class_labels = {"positive", "negative"};
  return model;
}

// What happens to a copy of the weights.
struct Fault {
  const char* name;
  std::uint32_t flipped_bits;
  std::size_t weights;
};

constexpr Fault kFaults[] = {
    {"every sign, which turns the class", 0x80000000U, kFirstLayerWeights},
    {"every exponent, which doubles margin and radius", 0x00800000U, kFirstLayerWeights},
    {"the sign of one weight", 0x80000000U, 1},
    {"the highest bit of the fraction of one weight", 0x00400000U, 1},
};

class MemoryFaultTest : public ::testing::Test {
 protected:
  MemoryFaultTest() { folder_.Add("sign", "1", SignOfTheSum()); }

  v1::Classification Ask(TestServer& server) const {
    v1::ClassifyRequest request = Fp32Request("sign", std::vector<float>(kSmallInputSize, 0.5F));
    request.set_epsilon(0.0);
    v1::ClassifyResponse response;
    EXPECT_TRUE(server.Classify(request, &response).ok());
    return response.classifications_size() == 1 ? response.classifications(0)
                                                : v1::Classification();
  }

  TemporaryModels folder_;
};

TEST_F(MemoryFaultTest, WhicheverCopyOfTheWeightsChangesTheAnswerIsRightOrCertifiesNothing) {
#ifdef LIPSERVE_THREAD_SANITIZER
  GTEST_SKIP() << "its heap is one region too large to search, among shadow memory as large";
#endif
  TestServer server(TestOptions(folder_));
  const v1::Classification right = Ask(server);
  ASSERT_EQ(right.label(), "positive");
  ASSERT_GT(right.certified_radius_l2(), 0.1);
  ASSERT_TRUE(right.certified_at_epsilon());

  const OwnMemory memory;
  constexpr auto kWord = std::bit_cast<std::uint32_t>(kWeight);
  const std::vector<OwnMemory::Run> copies = memory.Find(kWord, kFirstLayerWeights);
  std::size_t uncertified = 0;
  for (const Fault& fault : kFaults) {
    const std::size_t before = uncertified;
    const std::uint32_t damaged = kWord ^ fault.flipped_bits;
    for (const OwnMemory::Run& copy : copies) {
      if (!memory.Exchange(copy, fault.weights, kWord, damaged)) continue;
      const v1::Classification answer = Ask(server);
      memory.Exchange(copy, fault.weights, damaged, kWord);
      if (answer.certified_radius_l2() > 0.0) {
        EXPECT_EQ(answer.class_index(), right.class_index()) << fault.name;
        EXPECT_EQ(answer.certified_radius_l2(), right.certified_radius_l2()) << fault.name;
      } else {
        EXPECT_FALSE(answer.certified_at_epsilon()) << fault.name;
        EXPECT_EQ(answer.margin(), 0.0) << fault.name;
        ++uncertified;
      }
    }
    // The copy that oneDNN multiplies with and the one of the float64 kernel.
    EXPECT_GE(uncertified - before, 2U) << fault.name;
  }
  EXPECT_NE(server.Metrics().find(absl::StrCat("lipserve_stage_disagreements_total{model=\"sign\","
                                               "version=\"1\"} ",
                                               uncertified, "\n")),
            std::string::npos);
  const v1::Classification healed = Ask(server);
  EXPECT_EQ(healed.SerializeAsString(), right.SerializeAsString());
}

// The same without a server, which drops such a radius once more.
TEST(MemoryFaultModelTest, AModelWhoseStagesDisagreeCertifiesNothing) {
#ifdef LIPSERVE_THREAD_SANITIZER
  GTEST_SKIP() << "its heap is one region too large to search, among shadow memory as large";
#endif
  const auto model = CertifiedModel::Create(SignOfTheSum(), 1);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto worker = (*model)->NewWorker();
  const std::vector<float> input(kSmallInputSize, 0.5F);
  std::vector<Answer> answer(1);
  const OwnMemory memory;
  constexpr auto kWord = std::bit_cast<std::uint32_t>(kWeight);
  std::size_t disagreements = 0;
  for (const OwnMemory::Run& copy : memory.Find(kWord, kFirstLayerWeights)) {
    for (const Fault& fault : kFaults) {
      const std::uint32_t damaged = kWord ^ fault.flipped_bits;
      if (!memory.Exchange(copy, fault.weights, kWord, damaged)) continue;
      (*model)->Classify({input.data(), 1, input.size()}, *worker, answer);
      memory.Exchange(copy, fault.weights, damaged, kWord);
      if (!answer[0].stages_disagreed) continue;
      ++disagreements;
      EXPECT_EQ(answer[0].radius_l2, 0.0) << fault.name;
      EXPECT_EQ(answer[0].margin_lower_bound, 0.0) << fault.name;
    }
  }
  EXPECT_GE(disagreements, 8U);  // of the copies of both evaluations
}

}  // namespace
}  // namespace lipserve
