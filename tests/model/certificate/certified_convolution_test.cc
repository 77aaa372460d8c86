// SPDX-License-Identifier: Apache-2.0
// Certified models with convolutions and pools: what certified_model_test.cc says of dense ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "model/certified_model.h"
#include "model/execution/onednn.h"
#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

struct Case {
  const char* name;
  FrozenNetwork (*network)();
  // How far a margin may lie below the real one: what float64's rounding can do to a network of
  // this depth and these norms.
  double slack = 1e-11;
};

class CertifiedConvolutionTest : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr std::size_t kImages = 40;
  static constexpr std::size_t kSize = 64;

  void SetUp() override {
    auto model = CertifiedModel::Create(ModelOf(network_), 16);  // passes its self-test
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
  }

  std::vector<Answer> Classify(std::span<const float> inputs,
                               RadiusPrecision precision = RadiusPrecision::kTight) const {
    const auto worker = model_->NewWorker();
    std::vector<Answer> answers(inputs.size() / kSize);
    model_->Classify({inputs.data(), answers.size(), kSize}, *worker, answers, precision);
    return answers;
  }

  FrozenNetwork network_ = GetParam().network();
  std::shared_ptr<const CertifiedModel> model_;
  std::mt19937_64 random_{3};
  std::vector<float> inputs_ = RandomFloats(random_, kImages* kSize, 1.0);
};

TEST_P(CertifiedConvolutionTest, TheClassIsTheRealOneAndTheRadiusThatOfTheRealMargin) {
  const auto answers = Classify(inputs_);
  for (std::size_t r = 0; r < kImages; ++r) {
    const auto scores =
        QuadClassScores(network_, std::span<const float>(inputs_).subspan(r * kSize, kSize));
    const std::size_t best = QuadArgmax(scores);
    ASSERT_EQ(answers[r].class_index, best);
    ASSERT_FALSE(answers[r].stages_disagreed);
    Quad margin = scores[best] - scores[best == 0 ? 1 : 0];
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (j != best) margin = std::min(margin, scores[best] - scores[j]);
    }
    EXPECT_LE(static_cast<Quad>(answers[r].margin_lower_bound), margin);
    EXPECT_NEAR(answers[r].margin_lower_bound, static_cast<double>(margin), GetParam().slack);
    EXPECT_GT(answers[r].radius_l2, 0.0);
    // Of two scores, each is Lipschitz with the bound, so their difference is with twice that.
    EXPECT_GE(answers[r].radius_l2 * 2.0 * model_->lipschitz_bound() * (1.0 + 1e-9),
              answers[r].margin_lower_bound);
  }
}

TEST_P(CertifiedConvolutionTest, FastAnswersTheSameClassWithASmallerRadius) {
  const auto tight = Classify(inputs_);
  const auto fast = Classify(inputs_, RadiusPrecision::kFast);
  std::size_t by_float32 = 0;
  for (std::size_t r = 0; r < kImages; ++r) {
    EXPECT_EQ(fast[r].class_index, tight[r].class_index);
    EXPECT_LE(fast[r].radius_l2, tight[r].radius_l2);
    if (fast[r].decided_by == DecidedBy::kFloat32) ++by_float32;
  }
  EXPECT_GT(by_float32, kImages * 8 / 10);
}

TEST_P(CertifiedConvolutionTest, TheAnswerDoesNotDependOnBatchPositionOrThread) {
  const auto together = Classify(inputs_);
  std::vector<Answer> alone(kImages);
  std::thread([&] {
    onednn::SetThreadsOfThisThread(1);
    for (std::size_t r = 0; r < kImages; ++r) {
      alone[r] = Classify(std::span<const float>(inputs_).subspan(r * kSize, kSize))[0];
    }
  }).join();
  for (std::size_t r = 0; r < kImages; ++r) {
    EXPECT_EQ(alone[r].class_index, together[r].class_index);
    EXPECT_EQ(alone[r].radius_l2, together[r].radius_l2);
    EXPECT_EQ(alone[r].margin_lower_bound, together[r].margin_lower_bound);
    EXPECT_EQ(alone[r].scores, together[r].scores);
  }
}

TEST_P(CertifiedConvolutionTest, RefusesAFalseClaimNamingTheLayer) {
  FrozenNetwork network = network_;
  std::size_t index = 1;
  while (!std::holds_alternative<ConvolutionLayer>(network.layers[index])) ++index;
  std::get<ConvolutionLayer>(network.layers[index]).claimed_operator_norm_bound *= 0.999;
  const auto model = CertifiedModel::Create(ModelOf(network), 4);
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(model.status().message()),
      HasSubstr("layer " + std::to_string(index) + " (convolution [8, 4, 4] -> [12, 4, 4]"));
}

INSTANTIATE_TEST_SUITE_P(
    Networks, CertifiedConvolutionTest,
    ::testing::Values(Case{"1Score", [] { return RandomImageNetwork(7, 1, false); }},
                      Case{"5Scores", [] { return RandomImageNetwork(7, 5, false); }},
                      Case{"1ScoreL2", [] { return RandomImageNetwork(7, 1, true); }},
                      Case{"5ScoresL2", [] { return RandomImageNetwork(7, 5, true); }},
                      Case{"Activations", [] { return RandomActivationNetwork(7, 5); }},
                      Case{"Potentials", [] { return RandomPotentialNetwork(7, 5); }, 1e-10}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(CertifiedConvolutionTieTest, ATieIsDecidedByExactIntegersAndUncertified) {
  FrozenNetwork network = RandomImageNetwork(1, 1, false);
  auto& head = std::get<DenseLayer>(network.layers.back());
  head.weights.assign(head.weights.size(), 0.0F);
  head.bias.assign(1, 0.0F);
  head.claimed_operator_norm_bound = 1e-3;
  auto model = CertifiedModel::Create(ModelOf(network), 1);
  ASSERT_TRUE(model.ok()) << model.status();
  const std::vector<float> x(64, 0.5F);
  std::vector<Answer> answers(1);
  (*model)->Classify({x.data(), 1, 64}, *(*model)->NewWorker(), answers);
  EXPECT_EQ(answers[0].class_index, 0U);
  EXPECT_EQ(answers[0].decided_by, DecidedBy::kExact);
  EXPECT_EQ(answers[0].radius_l2, 0.0);
}

}  // namespace
}  // namespace lipserve
