// SPDX-License-Identifier: Apache-2.0
#include "model/certified_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <thread>
#include <vector>

#include "model/execution/onednn.h"
#include "tests/model/margin_gradient.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/quad_eigenvalue.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace lipserve {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<const CertifiedModel> Create(FrozenNetwork network, std::size_t max_batch = 16) {
  auto model = CertifiedModel::Create(ModelOf(std::move(network)), max_batch);
  EXPECT_TRUE(model.ok()) << model.status();
  return *model;
}

std::vector<Answer> Classify(const CertifiedModel& model, const std::vector<float>& inputs) {
  const auto worker = model.NewWorker();
  std::vector<Answer> answers(inputs.size() / model.input_size());
  model.Classify({inputs.data(), answers.size(), model.input_size()}, *worker, answers);
  return answers;
}

void ExpectSameBits(const Answer& a, const Answer& b) {
  EXPECT_EQ(a.class_index, b.class_index);
  EXPECT_EQ(a.radius_l2, b.radius_l2);
  EXPECT_EQ(a.margin_lower_bound, b.margin_lower_bound);
  EXPECT_EQ(a.scores, b.scores);
}

TEST(CertifiedModelTest, RefusesAFalseClaimNamingTheLayer) {
  FrozenNetwork network = RandomNetwork(1, {6, 4, 3});
  auto& dense = std::get<DenseLayer>(network.layers[3]);
  dense.claimed_operator_norm_bound *= 1.0 - 1e-9;
  const auto model = CertifiedModel::Create(ModelOf(network), 4);
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("layer 3 (dense 4 -> 3"));
}

TEST(CertifiedModelTest, RefusesWeightsWhoseSizeVoidsTheProof) {
  FrozenNetwork network = RandomNetwork(1, {6, 4, 4, 3});
  for (const std::size_t layer : {1U, 3U, 5U}) {
    auto& dense = std::get<DenseLayer>(network.layers[layer]);
    for (float& w : dense.weights) w *= 0x1p100F;
    dense.claimed_operator_norm_bound =
        *BoundOperatorNorm({dense.weights.data(), dense.outputs, dense.inputs});
  }
  const auto model = CertifiedModel::Create(ModelOf(network), 4);
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("expected at most 2^250"));
}

TEST(CertifiedModelTest, RefusesAMaxBatchOfZero) {
  EXPECT_FALSE(CertifiedModel::Create(ModelOf(RandomNetwork(1, {6, 3})), 0).ok());
}

TEST(CertifiedModelTest, TheAnswerDoesNotDependOnBatchPositionOrThread) {
  const auto model = Create(RandomNetwork(2, {40, 16, 8, 4}));
  std::mt19937_64 random(1);
  const auto inputs = RandomFloats(random, 37 * 40, 1.0);  // more than max_batch
  const auto together = Classify(*model, inputs);
  std::vector<Answer> elsewhere(together.size());
  std::thread([&] {
    onednn::SetThreadsOfThisThread(1);
    for (std::size_t r = 0; r < elsewhere.size(); ++r) {
      const auto first = inputs.begin() + static_cast<std::ptrdiff_t>(r * 40);
      elsewhere[r] = Classify(*model, std::vector<float>(first, first + 40))[0];
    }
  }).join();
  for (std::size_t r = 0; r < together.size(); ++r) ExpectSameBits(together[r], elsewhere[r]);
}

#if defined(__x86_64__)
TEST(CertifiedModelTest, TheAnswerDoesNotDependOnFlushToZero) {
  const auto model = Create(RandomNetwork(2, {40, 16, 8, 4}));
  std::mt19937_64 random(2);
  auto inputs = RandomFloats(random, 5 * 40, 1.0);
  for (std::size_t i = 0; i < inputs.size(); i += 3) inputs[i] *= 0x1p-130F;
  const auto plain = Classify(*model, inputs);
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040U);
  const auto flushed = Classify(*model, inputs);
  _mm_setcsr(before);
  for (std::size_t r = 0; r < plain.size(); ++r) ExpectSameBits(plain[r], flushed[r]);
}

// Processors take long for subnormal numbers, so float32 must not compute with them. The class, and
// its radius, are those of float64.
TEST(CertifiedModelTest, SubnormalNumbersAreZerosInFloat32Only) {
  FrozenNetwork network = RandomNetwork(2, {2, 1});
  auto& dense = std::get<DenseLayer>(network.layers.back());
  dense.weights = {0.5F, 1.0F};
  dense.bias.clear();
  dense.claimed_operator_norm_bound = 1.25;
  const auto model = Create(network);
  const std::vector<float> inputs = {-0x1p-126F, 0.0F, 0.0F, -0x1p-149F};
  std::vector<float> scores = {1.0F, 1.0F};
  model->ScoresFloat32({inputs.data(), 2, 2}, *model->NewWorker(), {scores.data(), 2, 1});
  EXPECT_EQ(scores, (std::vector<float>{0.0F, 0.0F}));
  for (const Answer& answer : Classify(*model, inputs)) {
    EXPECT_EQ(answer.class_index, 1U);
    EXPECT_EQ(answer.decided_by, DecidedBy::kFloat64);
    EXPECT_GT(answer.radius_l2, 0.0);
    EXPECT_FALSE(answer.stages_disagreed);
  }
  EXPECT_LT(Classify(*model, inputs)[0].scores[0], 0.0F);
}
#endif

TEST(CertifiedModelTest, ABinaryModelChoosesTheFirstClassWhereTheScoreIsNotNegative) {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = 2};
  network.layers.emplace_back(DenseLayer{.inputs = 2,
                                         .outputs = 1,
                                         .weights = {3.0F, 4.0F},
                                         .bias = {},
                                         .claimed_operator_norm_bound = 5.0 * (1.0 + 1e-9)});
  const auto model = Create(network);
  const auto answers = Classify(*model, {1.0F, 0.5F, -1.0F, -0.5F, 0.0F, 0.0F});
  EXPECT_EQ(answers[0].class_index, 0U);
  EXPECT_EQ(answers[0].scores[0], 5.0F);
  EXPECT_NEAR(answers[0].radius_l2, 1.0, 1e-7);
  EXPECT_EQ(answers[0].decided_by, DecidedBy::kFloat32);
  EXPECT_EQ(answers[1].class_index, 1U);
  EXPECT_NEAR(answers[1].radius_l2, 1.0, 1e-7);
  EXPECT_EQ(answers[2].class_index, 0U);  // a tie: the first class, uncertified
  EXPECT_EQ(answers[2].radius_l2, 0.0);
  EXPECT_EQ(answers[2].decided_by, DecidedBy::kExact);
}

TEST(CertifiedModelTest, FastAnswersTheSameClassWithASmallerTrueRadius) {
  const auto model = Create(RandomNetwork(5, {40, 16, 8, 4}));
  std::mt19937_64 random(4);
  const auto inputs = RandomFloats(random, 200 * 40, 1.0);
  const auto tight = Classify(*model, inputs);
  const auto worker = model->NewWorker();
  std::vector<Answer> fast(tight.size());
  model->Classify({inputs.data(), fast.size(), 40}, *worker, fast, RadiusPrecision::kFast);
  for (std::size_t r = 0; r < fast.size(); ++r) {
    EXPECT_EQ(fast[r].class_index, tight[r].class_index);
    if (fast[r].decided_by == DecidedBy::kFloat32) {
      EXPECT_LT(fast[r].radius_l2, tight[r].radius_l2);
      EXPECT_GT(fast[r].radius_l2, 0.9 * tight[r].radius_l2 - 1e-3);
    } else {
      ExpectSameBits(fast[r], tight[r]);
    }
  }
}

TEST(CertifiedModelTest, FastFallsBackToFloat64AndExactIntegersOnTheBoundary) {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = 3};
  DenseLayer dense{.inputs = 3,
                   .outputs = 1,
                   .weights = {1.0F, 1.0F, 0x1p-60F},
                   .bias = {},
                   .claimed_operator_norm_bound = 1.5};
  network.layers.emplace_back(dense);
  const auto model = Create(network);
  const auto worker = model->NewWorker();
  const std::vector<float> inputs = {1.0F, -1.0F, 1.0F, 1.0F, -1.0F, -1.0F, 1.0F, -1.0F + 0x1p-24F,
                                     0.0F};
  std::vector<Answer> answers(3);
  model->Classify({inputs.data(), 3, 3}, *worker, answers, RadiusPrecision::kFast);
  EXPECT_EQ(answers[0].class_index, 0U);  // 2^-60: only exact integers see its sign
  EXPECT_EQ(answers[1].class_index, 1U);
  EXPECT_EQ(answers[0].decided_by, DecidedBy::kExact);
  EXPECT_EQ(answers[0].radius_l2, 0.0);
  EXPECT_EQ(answers[2].class_index, 0U);  // 2^-24: float64 sees it
  EXPECT_EQ(answers[2].decided_by, DecidedBy::kFloat64);
  EXPECT_GT(answers[2].radius_l2, 0.0);
}

TEST(CertifiedModelTest, DescribesItsProvenBounds) {
  const auto model = Create(RandomNetwork(3, {6, 4, 3}));
  const auto layers = model->layer_lipschitz_bounds();
  ASSERT_EQ(layers.size(), 4U);
  EXPECT_EQ(layers[0], 1.0);  // flatten
  EXPECT_EQ(layers[2], 1.0);  // group sort
  for (const std::size_t layer : {1U, 3U}) {
    const auto& dense = std::get<DenseLayer>(model->frozen().network.layers[layer]);
    EXPECT_GE(static_cast<Quad>(layers[layer]),
              QuadOperatorNorm({dense.weights.data(), dense.outputs, dense.inputs}));
  }
  EXPECT_LE(model->lipschitz_bound(), layers[1] * layers[3] * (1.0 + 1e-6));
}

// The boundary-ray attack: start close to the boundary, step just inside the certified radius in
// the steepest direction, re-linearise, and nudge single coordinates. In-ball means the exact
// distance, in quadruple precision, is at most the radius.
struct RayAttackCase {
  FrozenNetwork network;
  int centers;  // fewer where the oracle is slow
};

class RayAttackTest : public ::testing::TestWithParam<RayAttackCase> {};

TEST_P(RayAttackTest, NoInputWithinTheRadiusChangesTheClass) {
  const auto model = Create(GetParam().network, 1);
  const FrozenNetwork& network = model->frozen().network;
  const std::size_t size = model->input_size();
  std::mt19937_64 random(3);
  int candidates = 0;
  for (int center = 0; center < GetParam().centers; ++center) {
    auto x = RandomFloats(random, size, 1.0);
    // Walk towards the boundary until little margin is left.
    const double target = std::pow(10.0, -static_cast<double>(center % 6));
    for (int step = 0; step < 30; ++step) {
      const Answer answer = Classify(*model, x)[0];
      if (answer.radius_l2 <= target) break;
      const std::size_t other = (answer.class_index + 1) % NumClasses(network);
      auto down = MarginGradient(network, x, other, answer.class_index);
      x = Step(x, down, 0.5 * (answer.radius_l2 - target) + 0.25 * target);
    }
    const Answer answer = Classify(*model, x)[0];
    if (answer.radius_l2 == 0.0) continue;
    for (std::size_t j = 0; j < NumClasses(network); ++j) {
      if (j == answer.class_index) continue;
      auto direction = MarginGradient(network, x, j, answer.class_index);
      const auto far = Step(x, direction, answer.radius_l2);
      const auto relinearised = MarginGradient(network, far, j, answer.class_index);
      for (const auto& d : {direction, relinearised}) {
        for (const double shrink : {1e-2, 1e-5, 1e-7, 1e-9, 0.0, -1e-9, -1e-7}) {
          auto attack = Step(x, d, answer.radius_l2 * (1.0 - shrink));
          float& nudged = attack[random() % size];
          nudged = std::nextafter(nudged, random() % 2 == 0 ? 10.0F : -10.0F);
          Quad squares = 0;
          for (std::size_t k = 0; k < size; ++k) {
            const Quad moved = static_cast<Quad>(attack[k]) - x[k];
            squares += moved * moved;
          }
          if (squares > static_cast<Quad>(answer.radius_l2) * answer.radius_l2) continue;
          ++candidates;
          ASSERT_EQ(Classify(*model, attack)[0].class_index, answer.class_index);
          ASSERT_EQ(QuadArgmax(QuadClassScores(network, attack)), answer.class_index);
        }
      }
    }
  }
  EXPECT_GT(candidates, 2 * GetParam().centers);
}

INSTANTIATE_TEST_SUITE_P(Networks, RayAttackTest,
                         ::testing::Values(RayAttackCase{RandomNetwork(11, {30, 1}), 60},
                                           RayAttackCase{RandomNetwork(11, {30, 12, 1}), 60},
                                           RayAttackCase{RandomNetwork(11, {30, 12, 8, 4}), 60},
                                           RayAttackCase{RandomImageNetwork(11, 1, false), 6},
                                           RayAttackCase{RandomImageNetwork(11, 3, true), 4},
                                           RayAttackCase{RandomActivationNetwork(11, 1), 6},
                                           RayAttackCase{RandomActivationNetwork(12, 3), 4},
                                           RayAttackCase{RandomPotentialNetwork(11, 1), 4},
                                           RayAttackCase{RandomPotentialNetwork(12, 3), 3},
                                           RayAttackCase{RandomBranchingNetwork(11, 1), 6},
                                           RayAttackCase{RandomBranchingNetwork(12, 3), 4}),
                         [](const auto& instance) {
                           return "network" + std::to_string(instance.index);
                         });

}  // namespace
}  // namespace lipserve
