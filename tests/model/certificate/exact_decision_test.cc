// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/exact_decision.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "model/arithmetic/outward_rounding.h"
#include "model/certificate/certificate.h"
#include "model/certified_model.h"
#include "model/network/frozen_network.h"
#include "tests/model/crafted_inputs.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/rational_network.h"

namespace lipserve {
namespace {

// A network, its bounds and what decides by them.
struct ExactSubject {
  explicit ExactSubject(FrozenNetwork of)
      : network(WithProvenNorms(std::move(of))),
        bounds(NetworkBounds::Create(network).value()),
        exact(network),
        decision(network, bounds) {}

  static FrozenNetwork WithProvenNorms(FrozenNetwork network) {
    for (FrozenLayer& layer : network.layers) {
      auto* const dense = std::get_if<DenseLayer>(&layer);
      if (dense == nullptr) continue;
      dense->claimed_operator_norm_bound =
          BoundOperatorNorm({dense->weights.data(), dense->outputs, dense->inputs}).value();
    }
    return network;
  }

  // The class that an evaluation with so many bits shows.
  std::optional<std::size_t> ClassWithin(std::span<const float> x, std::size_t precision) const {
    return decision.Decide(*exact.Evaluate(x, precision, StopCheck()));
  }
  std::size_t ClassOf(std::span<const float> x) const { return *decision.ClassOf(x, StopCheck()); }

  const FrozenNetwork network;
  const NetworkBounds bounds;
  const ExactNetwork exact;
  const ExactDecision decision;
};

// With a layer of every kind among them.
std::vector<FrozenNetwork> NetworksOfEveryLayer() {
  std::vector<FrozenNetwork> networks = {
      RandomNetwork(1, {12, 8, 8, 4}),
      RandomNetwork(2, {16, 8, 1}),
      RandomImageNetwork(3, 5, /*with_l2_norm_pool=*/false),
      RandomImageNetwork(4, 5, /*with_l2_norm_pool=*/true),
      RandomActivationNetwork(5, 4),
      RandomPotentialNetwork(6, 4),
      RandomBranchingNetwork(8, 4),
      WithPrototypes(RandomNetwork(7, {12, 8, 3}), 7, 4),
  };
  const std::size_t count = networks.size();
  for (std::size_t i = 0; i < count; ++i) {
    networks.push_back(WithoutBias(networks[i]));
    networks.push_back(WithEqualRows(networks[i]));
  }
  return networks;
}

std::vector<float> WideRange(std::mt19937_64& random, std::size_t count) {
  std::vector<float> x = RandomFloats(random, count, 1.0);
  for (float& value : x) value = std::ldexp(value, static_cast<int>(random() % 220) - 130);
  return x;
}

// Random inputs, zeros, inputs near ties, and multiples of them.
std::vector<std::vector<float>> CraftedInputs(const ExactSubject& subject,
                                              std::mt19937_64& random) {
  const std::size_t size = subject.network.input_shape.size();
  std::vector<std::vector<float>> inputs = {std::vector<float>(size), WideRange(random, size)};
  const ClassOfInput class_of = [&](const std::vector<float>& x) {
    return subject.exact.ClassOf(x);
  };
  const auto a = RandomFloats(random, size, 1.0);
  inputs.push_back(a);
  for (int trial = 0; trial < 20; ++trial) {
    const auto b = RandomFloats(random, size, 1.0);
    if (class_of(a) == class_of(b)) continue;
    for (const std::size_t refinements : {1U, 7U}) {
      inputs.push_back(NearTie(class_of, a, b, refinements));
    }
    break;
  }
  for (const float factor : {0x1p-120F, 0x1p30F}) {
    auto multiple = inputs.back();
    for (float& value : multiple) value *= factor;
    inputs.push_back(std::move(multiple));
  }
  return inputs;
}

TEST(ExactDecisionTest, AgreesWithRationalNumbersAtEveryPrecision) {
  std::mt19937_64 random(1);
  std::size_t decided = 0;
  std::size_t left = 0;
  for (const FrozenNetwork& network : NetworksOfEveryLayer()) {
    const ExactSubject subject(network);
    for (const auto& x : CraftedInputs(subject, random)) {
      const std::size_t real = RationalClass(subject.network, x);
      ASSERT_EQ(subject.exact.ClassOf(x), real);
      ASSERT_EQ(subject.ClassOf(x), real);
      for (const std::size_t precision : {6U, 12U, 24U, 48U, 80U, 120U, 480U}) {
        const auto shown = subject.ClassWithin(x, precision);
        ++(shown ? decided : left);
        ASSERT_EQ(shown.value_or(real), real) << precision << " bits";
      }
    }
  }
  EXPECT_GT(decided, 300U);
  EXPECT_GT(left, 150U);
}

// A single score b - sum of the numbers that `layers` make of n ones times `number`, for which the
// evaluation with `precision` bits rounds each of these numbers down by nearly a unit.
FrozenNetwork ScoreOfSum(std::vector<FrozenLayer> layers, std::size_t n, float bias) {
  FrozenNetwork network{.input_shape = {.channels = n, .height = 1, .width = 1},
                        .layers = std::move(layers)};
  network.layers.emplace_back(DenseLayer{
      .inputs = n, .outputs = 1, .weights = std::vector<float>(n, -1.0F), .bias = {bias}});
  return network;
}

DenseLayer DiagonalLayer(std::size_t n, float value) {
  DenseLayer layer{.inputs = n, .outputs = n, .weights = std::vector<float>(n * n), .bias = {}};
  for (std::size_t k = 0; k < n; ++k) layer.weights[k * n + k] = value;
  return layer;
}

struct WorstCase {
  std::string name;
  std::vector<FrozenLayer> layers;
  float number;  // of the input
  float made;    // of it, in real arithmetic, about
  float unit;    // of the rounding of what the last layer reads, with 10 bits
};

// The numbers of 16 outputs, each rounded by nearly a unit in the same direction, err by 16 units
// in their sum, and the bound is sqrt(16) sqrt(16) units. So every score between 0 and 16 units is
// wrong in the evaluation, and every one above is right.
TEST(ExactDecisionTest, ErrorBoundHoldsInTheWorstCaseAndIsTight) {
  constexpr std::size_t kCount = 16;
  constexpr float kNearlyOne = 1.0F + 0x1.fep-10F;  // 1 with 10 bits: the rest is .996 of a unit
  const std::vector<WorstCase> cases = {
      {"the input's rounding", {}, kNearlyOne, kNearlyOne, 0x1p-9F},
      {"times the norm of a layer",
       {DiagonalLayer(kCount, 8.0F)},
       kNearlyOne,
       8 * kNearlyOne,
       0x1p-6F},
      {"in both values of a sum", {SumLayer{.other = 0}}, kNearlyOne, 2 * kNearlyOne, 0x1p-8F},
      {"the rounding after a layer",
       {DiagonalLayer(kCount, kNearlyOne)},
       1.0F,
       kNearlyOne,
       0x1p-9F},
  };
  for (const WorstCase& worst : cases) {
    SCOPED_TRACE(worst.name);
    int wrong_before = 0;
    int decided = 0;
    for (int step = -8; step <= 40; ++step) {
      const float bias = static_cast<float>(kCount) * worst.made +
                         (static_cast<float>(step) - 16.25F) * worst.unit;
      const ExactSubject subject(ScoreOfSum(worst.layers, kCount, bias));
      const std::vector<float> x(kCount, worst.number);
      const auto evaluation = *subject.exact.Evaluate(x, 10, StopCheck());
      ASSERT_FALSE(evaluation.roundings.empty());
      const std::size_t real = RationalClass(subject.network, x);
      if (subject.exact.LargestClass(evaluation) != real) ++wrong_before;
      if (const auto shown = subject.decision.Decide(evaluation)) {
        ++decided;
        ASSERT_EQ(*shown, real) << step;
      }
      EXPECT_EQ(subject.ClassOf(x), real);
    }
    EXPECT_GE(wrong_before, 15) << "not the worst case";
    EXPECT_GE(decided, 12) << "the bound is not tight";
  }
}

// Roots of 2 are irrational. With 10 bits and the 8 of a root, each of 4 is rounded by .4 of a
// unit.
TEST(ExactDecisionTest, ErrorBoundContainsTheRoundingOfRoots) {
  constexpr std::size_t kCount = 4;
  int wrong_before = 0;
  for (int step = -3000; step <= 3000; step += 100) {
    const float bias = 4 * 1.41421356F + static_cast<float>(step) * 0x1p-20F;
    FrozenNetwork network =
        ScoreOfSum({L2NormPoolLayer{.window_height = 1, .window_width = 2}}, kCount, bias);
    network.input_shape = {.channels = kCount, .height = 1, .width = 2};
    const ExactSubject subject(std::move(network));
    const std::vector<float> x(2 * kCount, 1.0F);
    const auto evaluation = *subject.exact.Evaluate(x, 10, StopCheck());
    const std::size_t real = RationalClass(subject.network, x);
    if (subject.exact.LargestClass(evaluation) != real) ++wrong_before;
    const auto shown = subject.decision.Decide(evaluation);
    ASSERT_EQ(shown.value_or(real), real);
    ASSERT_EQ(subject.ClassOf(x), real);
  }
  EXPECT_GE(wrong_before, 5);
}

// A root alone, without another rounding behind it: perfect squares are points, others are not.
TEST(ExactDecisionTest, OnlyRootsThatAreNumbersAreExact) {
  FrozenNetwork network =
      ScoreOfSum({L2NormPoolLayer{.window_height = 1, .window_width = 2}}, 1, 5.0F);
  network.input_shape = {.channels = 1, .height = 1, .width = 2};
  const ExactSubject subject(std::move(network));
  const auto roundings = [&](std::vector<float> x) {
    return subject.exact.Evaluate(x, 120, StopCheck())->roundings.size();
  };
  EXPECT_EQ(roundings({3.0F, 4.0F}), 0U);
  EXPECT_EQ(subject.ClassWithin(std::vector<float>{3.0F, 4.0F}, 120), 0U);  // a tie: 5 - 5
  EXPECT_GT(roundings({3.0F, 5.0F}), 0U);
}

// sqrt(25 + 2^-200) is 5 and more. No other number of this evaluation is rounded.
TEST(ExactDecisionTest, ARootThatRoundsToANumberIsNotThatNumber) {
  FrozenNetwork network =
      ScoreOfSum({L2NormPoolLayer{.window_height = 1, .window_width = 3}}, 1, 5.0F);
  network.input_shape = {.channels = 1, .height = 1, .width = 3};
  const ExactSubject subject(std::move(network));
  const std::vector<float> x = {3.0F, 4.0F, 0x1p-100F};
  EXPECT_EQ(subject.exact.Evaluate(x, 120, StopCheck())->roundings.size(), 1U);
  EXPECT_EQ(subject.ClassWithin(x, 120), std::nullopt);
  EXPECT_EQ(subject.ClassOf(x), 1U);
}

// `count` factors of 2^-100, and a score whose sign is that of the first number's.
FrozenNetwork Shrinking(int count) {
  std::vector<FrozenLayer> layers(
      static_cast<std::size_t>(count),
      AveragePoolLayer{.window_height = 1, .window_width = 1, .scale = 0x1p-100F});
  FrozenNetwork network = ScoreOfSum(std::move(layers), 2, 0.0F);
  std::get<DenseLayer>(network.layers.back()).bias.clear();
  return network;
}

// The sum 1 + 3 2^-140 needs more than 120 bits, so it is rounded.
TEST(ExactDecisionTest, MarginsBelowTheLeastAreLeftToAllBits) {
  const std::vector<float> x = {-1.0F, -0x1.8p-139F};
  const ExactSubject above(Shrinking(14));  // about 2^-1400
  EXPECT_FALSE(above.exact.Evaluate(x, 120, StopCheck())->roundings.empty());
  EXPECT_EQ(above.ClassWithin(x, 120), 0U);
  const ExactSubject below(Shrinking(16));
  EXPECT_EQ(below.ClassWithin(x, 120), std::nullopt);
  EXPECT_EQ(below.ClassOf(x), 0U);
}

TEST(ExactDecisionTest, StopsWhenTold) {
  const ExactSubject subject(RandomImageNetwork(1, 3, false));
  std::mt19937_64 random(2);
  const auto x = RandomFloats(random, 64, 1.0);
  int all = 0;
  ASSERT_TRUE(subject.decision.ClassOf(x, StopCheck([&all] { return ++all < 0; })));
  EXPECT_GE(all, 7);  // after each layer
  for (int last = 1; last <= all; ++last) {
    int asked = 0;
    const StopCheck stop([&] { return ++asked == last; });
    EXPECT_EQ(subject.decision.ClassOf(x, stop), std::nullopt);
    EXPECT_EQ(asked, last);  // nothing is asked, or computed, after that
  }
}

TEST(ExactDecisionTest, ZerosAreDecidedAtOnceWithoutBiasesOnly) {
  std::mt19937_64 random(3);
  for (const FrozenNetwork& network : NetworksOfEveryLayer()) {
    const ExactSubject subject(network);
    const std::vector<float> zeros(network.input_shape.size(), -0.0F);
    const std::size_t real = RationalClass(subject.network, zeros);
    const auto at_once = subject.decision.ClassAtOnce(zeros);
    EXPECT_EQ(at_once.value_or(real), real);
    std::vector<float> nearly = zeros;
    nearly.back() = 0x1p-149F;
    EXPECT_EQ(subject.decision.ClassAtOnce(nearly), std::nullopt);
    const ExactSubject plain(WithoutBias(network));
    EXPECT_EQ(plain.decision.ClassAtOnce(zeros), 0U);
  }
  FrozenNetwork biased = WithoutBias(RandomPotentialNetwork(6, 4));
  for (FrozenLayer& layer : biased.layers) {
    auto* const potential = std::get_if<ConvexPotentialLayer>(&layer);
    if (potential == nullptr) continue;
    FrozenNetwork network = biased;
    std::visit([](auto& inner) { inner.bias.assign(inner.weights.size(), 1.0F); },
               potential->inner);
    const std::vector<float> zeros(64);
    const ExactSubject subject(WithoutBias(network));
    EXPECT_EQ(ExactDecision(biased, subject.bounds).ClassAtOnce(zeros), std::nullopt);
    break;
  }
}

Answer FloatingPointAnswer(const CertifiedModel& model, const std::vector<float>& x) {
  Answer answer;
  model.ClassifyByFloatingPoint({x.data(), 1, x.size()}, *model.NewWorker(), {&answer, 1});
  return answer;
}

TEST(TieOfEqualRowsTest, IsDecidedByFloatingPointAndNeverCertified) {
  std::mt19937_64 random(4);
  const ExactSubject subject(WithEqualRows(RandomNetwork(8, {12, 8, 6})));
  const auto model = CertifiedModel::Create(ModelOf(subject.network), 4).value();
  for (int trial = 0; trial < 50; ++trial) {
    const auto x = RandomFloats(random, 12, 1.0);
    const Answer answer = FloatingPointAnswer(*model, x);
    ASSERT_FALSE(answer.is_undecided);
    ASSERT_EQ(answer.class_index, RationalClass(subject.network, x));
    ASSERT_EQ(answer.class_index % 2, 0U);
    ASSERT_EQ(answer.decided_by, DecidedBy::kExact);
    ASSERT_EQ(answer.radius_l2, 0.0);
    ASSERT_EQ(answer.margin_lower_bound, 0.0);
  }
}

// Class 0 has the rows p and q, class 1 the rows p and r. Where p is the largest, it is a tie that
// class 0 wins; where r is larger than p by less than float64 sees, it is class 1.
TEST(TieOfEqualRowsTest, AnotherRowOfTheClassMayWin) {
  FrozenNetwork network{.input_shape = {.channels = 2, .height = 1, .width = 1}, .layers = {}};
  network.layers.emplace_back(
      DenseLayer{.inputs = 2, .outputs = 4, .weights = {1, 0, -1, 0, 1, 0, 1, 1}, .bias = {}});
  network.prototypes_per_class = 2;
  const ExactSubject subject(std::move(network));
  const auto model = CertifiedModel::Create(ModelOf(subject.network), 4).value();
  for (const float second : {0x1p-100F, 0.0F, -0x1p-100F, -1.0F, 1.0F}) {
    const std::vector<float> x = {1.0F, second};
    const std::size_t real = RationalClass(subject.network, x);
    EXPECT_EQ(real, second > 0.0F ? 1U : 0U);
    EXPECT_EQ(subject.ClassOf(x), real);
    const Answer answer = FloatingPointAnswer(*model, x);
    EXPECT_EQ(answer.is_undecided, std::fabs(second) < 1.0F) << second;
    if (!answer.is_undecided) {
      EXPECT_EQ(answer.class_index, real);
    }
  }
}

// The same rows, if equal rows had float64 scores that differ by a rounding: then the best row is
// that of class 1, and only another row of class 1 that is below the tie leaves it to class 0.
TEST(TieOfEqualRowsTest, RowsOfTheBestClassAreComparedToo) {
  FrozenNetwork network{.input_shape = {.channels = 2, .height = 1, .width = 1}, .layers = {}};
  network.layers.emplace_back(
      DenseLayer{.inputs = 2, .outputs = 4, .weights = {1, 0, -1, 0, 1, 0, 1, 1}, .bias = {}});
  network.prototypes_per_class = 2;
  const ExactSubject subject(std::move(network));
  const Certifier certifier(subject.bounds);
  const ScopedStrictFloatingPoint strict;
  const std::vector<Upper> norms = {Upper(2.0)};
  const auto decide = [&](double last) {
    const std::vector<double> scores = {1.0, -1.0, 1.0 + 0x1p-52, last};
    return certifier.DecideTieOfEqualRows(scores, norms, Arithmetic::kFloat64);
  };
  EXPECT_EQ(decide(1.0), std::nullopt);
  EXPECT_EQ(decide(0.5), 0U);
}

TEST(RowPairsTest, FindsEqualRows) {
  FrozenNetwork network = RandomNetwork(1, {2, 5});
  auto& rows = std::get<DenseLayer>(network.layers.back());
  rows.weights = {1, 2, 0, 0, 1, 2, 1, 3, -0.0F, 0};
  rows.bias = {1, 0, 1, 1, -0.0F};
  const ExactSubject subject(network);
  const RowPairs& pairs = subject.bounds.pairs();
  const std::size_t first[] = {0, 1, 0, 3, 1};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(pairs.FirstEqual(i), first[i]);
    EXPECT_EQ(pairs.IsShared(i), i != 3);
  }
  rows.bias = {1, 0, 0, 1, 0x1p-126F};
  const ExactSubject other(network);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_FALSE(other.bounds.pairs().IsShared(i));
}

}  // namespace
}  // namespace lipserve
