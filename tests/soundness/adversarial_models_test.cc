// SPDX-License-Identifier: Apache-2.0
// Networks built to make certificates false, each served, attacked, and compared with the exact
// network: the class is always the real one, a radius never exceeds what real arithmetic proves.
#include "tests/soundness/adversarial_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/soundness/attacked_server.h"
#include "tests/soundness/attacks/attacks.h"
#include "tests/soundness/naive_certifier.h"
#include "tests/soundness/served_subject.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

// Shares of boundary inputs at which a certifier is wrong.
struct NaiveFailures {
  int centers = 0;
  int wrong_classes = 0;
  int false_radii = 0;
};

// The same centres and candidates that the server's certificates withstand.
NaiveFailures AttackNaively(const ServedSubject& subject, const Inputs& inputs) {
  NaiveCertifier naive(subject.network());
  AttackSession session(subject.target(), kSmallEffort, 1);
  NaiveFailures failures;
  for (const auto& input : inputs) {
    AttackCenter center = naive.Certify(input);
    ++failures.centers;
    if (center.class_index != subject.exact().ClassOf(input)) ++failures.wrong_classes;
    if (!(center.radius_l2 > 0.0)) continue;
    Candidates candidates;
    session.AddRays(center, session.white_box().TowardsNearest(input, center.class_index).other,
                    candidates);
    AttackTally tally;
    tally.Count("naive", center, candidates.numbers(),
                std::span<const TargetAnswer>(naive.Classify(candidates.numbers())));
    if (tally.Total().violations > 0) ++failures.false_radii;
  }
  return failures;
}

// ---- (i) biases that cancel --------------------------------------------------------------------

struct CancelledBias {
  std::size_t layer;  // 0: the first; 1: the last hidden one
  float offset;
};

class CancelledBiasTest : public ::testing::TestWithParam<CancelledBias> {};

TEST_P(CancelledBiasTest, CertificatesHoldAndStayTight) {
  const auto [layer, offset] = GetParam();
  ServedSubject subject(WithCancelledBias(OrthonormalNetwork(3, {28, 16, 8, 3}), layer, offset));
  subject.ExpectSound(RandomInputsOf(subject.network(), 6));
  EXPECT_GT(subject.in_ball(), 2000U);
  EXPECT_GT(subject.best_share(), 0.9999);
}

INSTANTIATE_TEST_SUITE_P(Offsets, CancelledBiasTest,
                         ::testing::Values(CancelledBias{0, 1e3F}, CancelledBias{0, 1e4F},
                                           CancelledBias{0, 1e5F}, CancelledBias{0, 1e6F},
                                           CancelledBias{0, 5e6F}, CancelledBias{1, 1e3F},
                                           CancelledBias{1, 1e4F}, CancelledBias{1, 1e5F},
                                           CancelledBias{1, 1e6F}, CancelledBias{1, 5e6F}),
                         [](const auto& instance) {
                           return "Layer" + std::to_string(instance.param.layer) + "Offset" +
                                  std::to_string(static_cast<int>(instance.param.offset));
                         });

TEST(AdversarialModelsTest, ShiftedReluNetworksAreCertifiedTruly) {
  for (const float offset : {1e3F, 1e6F, 5e6F}) {
    ServedSubject subject(WithShiftedReluPairs(4, 28, 8, 3, offset));
    subject.ExpectSound(RandomInputsOf(subject.network(), 4));
    EXPECT_GT(subject.in_ball(), 1000U);
    EXPECT_GT(subject.best_share(), 0.999);
  }
}

// The tests above have teeth: on the same models the usual certificate is wrong, in the class or in
// the radius, about many points next to the boundary.
TEST(AdversarialModelsTest, ANaiveCertificateIsFalseOnACancelledBias) {
  for (const std::size_t layer : {0U, 1U}) {
    const ServedSubject subject(
        WithCancelledBias(OrthonormalNetwork(3, {28, 16, 8, 3}), layer, 1e6F));
    const auto centers = BoundaryInputs(subject.network(), RandomInputsOf(subject.network(), 10));
    const NaiveFailures failures = AttackNaively(subject, centers);
    ASSERT_GT(failures.centers, 50);
    EXPECT_GT(failures.wrong_classes, failures.centers / 5);
    EXPECT_GT(failures.false_radii, failures.centers / 10);
  }
}

// ---- (ii) large constants and backdoors --------------------------------------------------------

class BackdoorTest : public ::testing::TestWithParam<int> {};

TEST_P(BackdoorTest, IsAnsweredAsTheRealNetworkHasIt) {
  ServedSubject subject(WithBackdoorBehindAConstant(GetParam(), 4.0F));
  const Inputs inputs = RandomInputsOf(subject.network(), 12);
  // Not a vacuous test: float32 does not see the backdoor on some input that triggers it.
  NaiveCertifier naive(subject.network());
  EXPECT_TRUE(std::any_of(inputs.begin(), inputs.end(), [&](const auto& input) {
    return naive.Certify(input).class_index != subject.exact().ClassOf(input);
  }));
  subject.ExpectSound(inputs);
}

// 2^24 and 2^30 hide it from float32 only, 2^60 and 2^100 from float64 too.
INSTANTIATE_TEST_SUITE_P(Exponents, BackdoorTest, ::testing::Values(24, 30, 60, 100));

// ---- (iii), (iv) orders of summation -----------------------------------------------------------

TEST(AdversarialModelsTest, StagnatingSumsAreCertifiedTruly) {
  constexpr std::size_t kInputs = 196;
  ServedSubject subject(WithStagnatingSums(kInputs));
  Inputs inputs;
  for (const float tilt : {0x1p-24F, -0x1p-24F, 0x1p-20F, -0x1p-20F, 0x1p-12F, -0x1p-12F}) {
    std::vector<float> input(kInputs, 1.0F);
    input.front() += tilt;
    inputs.push_back(std::move(input));
  }
  subject.ExpectSound(inputs);
  EXPECT_GT(subject.in_ball(), 1000U);
  EXPECT_GT(subject.best_share(), 0.999);
}

// The real score of such an input is the sum of its middle less 25.5; float32 makes of the middle
// what its order of summation happens to keep.
Inputs OrderInputs() {
  Inputs inputs;
  for (const float middle : {0.5F, 1.0F, 0x1.ep-1F, 0x1.fp-1F, 1.0F + 0x1p-6F}) {
    std::vector<float> input(28, middle);
    input.front() = input.back() = 1.0F;
    inputs.push_back(std::move(input));
  }
  return inputs;
}

TEST(AdversarialModelsTest, OrderDetectorsAreCertifiedTruly) {
  ServedSubject subject(WithOrderDetector(28, 25.5F));
  subject.ExpectSound(OrderInputs());
}

TEST(AdversarialModelsTest, OrderDetectorsAnswerTheSameInEveryBatchAndPosition) {
  const ServedSubject subject(WithOrderDetector(28, 25.5F));
  for (const auto& input : OrderInputs()) {
    const std::size_t expected = subject.exact().ClassOf(input);
    for (const std::size_t batch : {1U, 2U, 7U, 16U, 64U}) {
      const auto answers = subject.target().Classify(Joined(Inputs(batch, input)));
      ASSERT_TRUE(answers.ok()) << answers.status();
      for (const TargetAnswer& answer : *answers) {
        EXPECT_EQ(answer.class_index, expected);
        EXPECT_EQ(answer.radius_l2, answers->front().radius_l2);
      }
    }
  }
}

// ---- 10.4: two neurons with neighbouring weights -----------------------------------------------

// y_k = w_k x with w_1 the float32 number after w_0. In real arithmetic class 1 wins for x > 0 by
// (w_1 - w_0) x. In float32 the products are equal at x_a and differ at x_b, a little later.
struct NeighbouringWeights {
  float w0;
  float equal_at;
  float differs_at;
};

std::vector<NeighbouringWeights> FindNeighbouringWeights(std::size_t count) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<float> uniform(1.0F, 2.0F);
  std::vector<NeighbouringWeights> found;
  while (found.size() < count) {
    const float w0 = uniform(random);
    const float w1 = std::nextafter(w0, 4.0F);
    float x = uniform(random);
    for (int step = 0; step < 100; ++step, x = std::nextafter(x, 4.0F)) {
      const float next = std::nextafter(x, 4.0F);
      if (w0 * x == w1 * x && w0 * next < w1 * next) {
        found.push_back({w0, x, next});
        break;
      }
    }
  }
  return found;
}

TEST(AdversarialModelsTest, NeighbouringWeightsFoolANaiveCertificateButNotTheServer) {
  int naive_false = 0;
  for (const auto& [w0, equal_at, differs_at] : FindNeighbouringWeights(3)) {
    const float w1 = std::nextafter(w0, 4.0F);
    ServedSubject subject(Chain({DenseBuilder(1).Row({w0}).Row({w1}).Build()}));
    NaiveCertifier naive(subject.network());
    const AttackCenter center = naive.Certify({differs_at});
    const double moved = static_cast<double>(differs_at) - static_cast<double>(equal_at);
    EXPECT_EQ(naive.Certify({equal_at}).class_index, 0U);
    if (center.class_index == 1 && center.radius_l2 >= moved) ++naive_false;
    subject.ExpectSound({{equal_at}, {differs_at}, {-equal_at}});
    const auto answers = subject.target().Classify(std::vector<float>{equal_at, differs_at});
    ASSERT_TRUE(answers.ok()) << answers.status();
    EXPECT_EQ((*answers)[0].class_index, 1U);
    EXPECT_EQ((*answers)[1].class_index, 1U);
  }
  EXPECT_EQ(naive_false, 3);
}

// ---- (v) scales --------------------------------------------------------------------------------

class ScaleTest : public ::testing::TestWithParam<float> {};

TEST_P(ScaleTest, CertificatesHoldAndStayTight) {
  ServedSubject subject(Scaled(OrthonormalNetwork(6, {28, 16, 3}), GetParam()));
  subject.ExpectSound(RandomInputsOf(subject.network(), 4));
  EXPECT_GT(subject.in_ball(), 1000U);
  EXPECT_GT(subject.best_share(), 0.999);
}

INSTANTIATE_TEST_SUITE_P(Factors, ScaleTest, ::testing::Values(1e-5F, 1e-20F, 1e3F, 1e15F));

TEST(AdversarialModelsTest, TheSmallestNormalWeightsAreCertifiedTruly) {
  ServedSubject subject(WithSignsOf(7, {28, 16, 3}, 0x1p-126F));
  subject.ExpectSound(RandomInputsOf(subject.network(), 6));
  EXPECT_GT(subject.in_ball(), 1000U);
}

TEST(AdversarialModelsTest, HugeWeightsThatTinyOnesUndoAreCertifiedTruly) {
  FrozenNetwork network = OrthonormalNetwork(8, {28, 16, 3});
  const auto dense = DenseLayers(network);
  for (float& w : dense[0]->weights) w *= 1e30F;
  for (float& b : dense[0]->bias) b *= 1e30F;
  for (float& w : dense[1]->weights) w *= 1e-30F;
  ProveClaims(network);
  ServedSubject subject(network);
  subject.ExpectSound(RandomInputsOf(subject.network(), 4));
  EXPECT_GT(subject.in_ball(), 1000U);
  EXPECT_GT(subject.best_share(), 0.999);
}

std::string WhyRefused(const FrozenNetwork& network) {
  const auto server = AttackedServer::Start(ModelOf(network));
  return server.ok() ? "served" : std::string(server.status().message());
}

TEST(AdversarialModelsTest, SubnormalWeightsAreRefused) {
  FrozenNetwork network = OrthonormalNetwork(9, {28, 16, 3});
  DenseLayers(network)[1]->weights[5] = 0x1p-127F;
  EXPECT_THAT(WhyRefused(network), HasSubstr("weights number 5: expected a normal float32"));
}

TEST(AdversarialModelsTest, WeightsTooLargeForTheProofAreRefused) {
  EXPECT_THAT(WhyRefused(Scaled(OrthonormalNetwork(10, {28, 16, 8, 3}), 1e38F)),
              HasSubstr("the proof does not cover such weights"));
}

// ---- (vi) degenerate shapes --------------------------------------------------------------------

// Classes 0 and 2 have the same score everywhere: neither can ever be certified, class 1 can.
TEST(AdversarialModelsTest, DuplicateOutputRowsAreNeverCertifiedAgainstEachOther) {
  FrozenNetwork network = OrthonormalNetwork(11, {28, 16, 3});
  DenseLayer& last = *DenseLayers(network)[1];
  std::copy_n(last.weights.begin(), 16, last.weights.begin() + 32);
  last.bias = {0.0F, 0.0F, 0.0F};
  ProveClaims(network);
  ServedSubject subject(network);
  const Inputs inputs = RandomInputsOf(network, 40);
  subject.ExpectSound({inputs.begin(), inputs.begin() + 4});
  const auto answers = subject.target().Classify(Joined(inputs));
  ASSERT_TRUE(answers.ok()) << answers.status();
  int certified = 0;
  for (const TargetAnswer& answer : *answers) {
    EXPECT_NE(answer.class_index, 2U);  // ties go to the lowest index
    EXPECT_EQ(answer.radius_l2 > 0.0, answer.class_index == 1U);
    certified += answer.class_index == 1U ? 1 : 0;
  }
  EXPECT_GT(certified, 0);
  EXPECT_LT(certified, 40);
}

// Rows that differ in nothing but their bias: their order never changes, whatever the input.
TEST(AdversarialModelsTest, EqualRowsWithDifferentBiasDoNotLimitARadius) {
  FrozenNetwork network = OrthonormalNetwork(12, {28, 16, 3});
  DenseLayer& last = *DenseLayers(network)[1];
  std::copy_n(last.weights.begin(), 16, last.weights.begin() + 32);
  last.bias = {0.25F, 0.0F, 0.125F};
  ProveClaims(network);
  ServedSubject subject(network);
  subject.ExpectSound(RandomInputsOf(network, 6));
  EXPECT_GT(subject.in_ball(), 1000U);
  EXPECT_GT(subject.best_share(), 0.999);
}

TEST(AdversarialModelsTest, ZeroRowsAreCertifiedTruly) {
  FrozenNetwork network = OrthonormalNetwork(13, {28, 16, 3});
  std::fill_n(DenseLayers(network)[0]->weights.begin() + 28, 5 * 28, 0.0F);
  std::fill_n(DenseLayers(network)[1]->weights.begin() + 16, 16, 0.0F);
  ProveClaims(network);
  ServedSubject subject(network);
  subject.ExpectSound(RandomInputsOf(network, 6));
  EXPECT_GT(subject.in_ball(), 1000U);
}

// The radius of a constant network is the largest there is, and no input refutes it.
TEST(AdversarialModelsTest, AConstantNetworkHoldsEverywhere) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  FrozenNetwork network = Chain({DenseBuilder(4).Row({}, 1.0F).Row({}, 2.0F).Build()});
  ServedSubject subject(network);
  subject.ExpectSound(RandomInputsOf(network, 2));
  const auto answers = subject.target().Classify(
      std::vector<float>{0.0F, 0.0F, 0.0F, 0.0F, kLargest, -kLargest, kLargest, -kLargest});
  ASSERT_TRUE(answers.ok()) << answers.status();
  EXPECT_EQ((*answers)[0].radius_l2, static_cast<double>(kLargest));
  EXPECT_EQ((*answers)[0].class_index, 1U);
  EXPECT_EQ((*answers)[1].class_index, 1U);
}

// A single score of +0 or -0 is not negative: the first class, and no radius.
TEST(AdversarialModelsTest, NegativeZerosAreZeros) {
  FrozenNetwork network = Chain({DenseBuilder(2).Row({-0.0F, 1.0F}, -0.0F).Build()});
  ServedSubject subject(network);
  subject.ExpectSound({{-0.0F, -0.0F}, {0.0F, -0.0F}, {-1.0F, 0.0F}, {0.0F, -0x1p-149F}});
  const auto answers = subject.target().Classify(std::vector<float>{-0.0F, -0.0F, -1.0F, 0.0F});
  ASSERT_TRUE(answers.ok()) << answers.status();
  for (const TargetAnswer& answer : *answers) {
    EXPECT_EQ(answer.class_index, 0U);
    EXPECT_EQ(answer.radius_l2, 0.0);
  }
}

TEST(AdversarialModelsTest, AModelOfOneClassIsRefused) {
  FrozenModel model = ModelOf(Chain({DenseBuilder(2).Row({1.0F, 1.0F}).Build()}));
  model.class_labels = {"only"};
  const auto server = AttackedServer::Start(model);
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument) << server.status();
}

TEST(AdversarialModelsTest, LayersOfRankOneAreCertifiedTruly) {
  ServedSubject subject(OfRankOne(14, {28, 16, 8, 3}));
  subject.ExpectSound(RandomInputsOf(subject.network(), 6));
  EXPECT_GT(subject.in_ball(), 500U);
}

// All eigenvalues are 0 or 1, the norms are 1000: a spectral radius would certify a thousand times
// too far.
TEST(AdversarialModelsTest, NonNormalProductsAreCertifiedByTheirNorms) {
  const DenseLayer shear = DenseBuilder(2).Row({1.0F, 1000.0F}).Row({0.0F, 1.0F}).Build();
  const DenseLayer nilpotent = DenseBuilder(2).Row({0.0F, 1000.0F}).Row({0.0F, 0.0F}).Build();
  const DenseLayer last = DenseBuilder(2).Row({1.0F, 0.5F}, -3.0F).Build();
  for (const auto& layers : {std::vector{shear, last}, std::vector{nilpotent, last},
                             std::vector{shear, nilpotent, last}}) {
    ServedSubject subject(Chain(layers));
    subject.ExpectSound({{0.2F, 0.1F}, {-0.2F, 0.003F}, {0.9F, -0.5F}, {0.0F, 0.0F}});
    EXPECT_GT(subject.in_ball(), 500U);
  }
}

// ---- prototypes --------------------------------------------------------------------------------

// Two of one class are equal, two of different classes are, and one is a rounding away from
// another.
TEST(AdversarialModelsTest, PrototypesAreCertifiedTrulyThoughSomeAreEqual) {
  for (const auto& sizes : {std::vector<std::size_t>{28, 3}, {28, 16, 3}}) {
    FrozenNetwork network = WithPrototypes(OrthonormalNetwork(15, sizes), 15, 4);
    auto& last = std::get<DenseLayer>(network.layers.back());
    const auto copy = [&last](std::size_t from, std::size_t to) {
      std::copy_n(last.weights.begin() + static_cast<std::ptrdiff_t>(from * last.inputs),
                  last.inputs,
                  last.weights.begin() + static_cast<std::ptrdiff_t>(to * last.inputs));
      last.bias[to] = last.bias[from];
    };
    copy(0, 1);
    copy(5, 9);
    copy(6, 7);
    last.weights[6 * last.inputs] = std::nextafter(last.weights[6 * last.inputs], 9.0F);
    ProveClaims(network);
    ServedSubject subject(network);
    subject.ExpectSound(RandomInputsOf(network, 8));
    EXPECT_GT(subject.in_ball(), 500U);
    EXPECT_GT(subject.best_share(), 0.9999);
  }
}

}  // namespace
}  // namespace lipserve
