// SPDX-License-Identifier: Apache-2.0
// Networks whose classes have several prototypes: rows of the last layer, the best of which is the
// score of the class.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "model/certificate/certificate.h"
#include "model/certificate/row_pairs.h"
#include "model/certified_model.h"
#include "model/execution/exact_network.h"
#include "tests/model/margin_gradient.h"
#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

// Prototypes of inputs, of features of dense layers, and of a convolutional network's.
std::vector<FrozenNetwork> Networks() {
  return {WithPrototypes(RandomNetwork(1, {12, 4}), 1, 6),
          WithPrototypes(RandomNetwork(2, {20, 16, 8, 3}), 2, 5),
          WithPrototypes(RandomImageNetwork(3, 3, false), 3, 4)};
}

std::shared_ptr<const CertifiedModel> Create(const FrozenNetwork& network) {
  auto model = CertifiedModel::Create(ModelOf(network), 4);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

Answer Classify(const CertifiedModel& model, const std::vector<float>& input,
                RadiusPrecision precision = RadiusPrecision::kTight) {
  std::vector<Answer> answers(1);
  const auto worker = model.NewWorker();
  model.Classify({input.data(), 1, input.size()}, *worker, answers, precision);
  return answers[0];
}

std::size_t RealClass(const FrozenNetwork& network, const std::vector<float>& input) {
  return QuadArgmax(QuadClassScores(network, input));
}

// Fewer where the oracle is slow.
int TrialsOf(const FrozenNetwork& network, int trials) {
  return network.input_shape.size() > 20 ? trials / 5 : trials;
}

Quad RowDistance(const FrozenNetwork& network, std::size_t i, std::size_t j) {
  const auto& last = std::get<DenseLayer>(network.layers.back());
  Quad squares = 0;
  for (std::size_t k = 0; k < last.inputs; ++k) {
    const Quad difference = static_cast<Quad>(last.weights[i * last.inputs + k]) -
                            static_cast<Quad>(last.weights[j * last.inputs + k]);
    squares += difference * difference;
  }
  return QuadSqrt(squares);
}

// What the best row of the class proves in real arithmetic, by the claimed norms.
Quad RealRadius(const FrozenNetwork& network, const std::vector<double>& layer_bounds,
                const std::vector<float>& input) {
  Quad hidden = 1;
  for (std::size_t l = 0; l + 1 < layer_bounds.size(); ++l) hidden *= layer_bounds[l];
  const std::vector<Quad> rows = QuadRowScores(network, input);
  const std::size_t best = QuadArgmax(rows);
  const std::size_t count = network.prototypes_per_class;
  Quad radius = 1e30;
  for (std::size_t j = 0; j < rows.size(); ++j) {
    if (j / count == best / count) continue;
    radius = std::min(radius, (rows[best] - rows[j]) / (RowDistance(network, best, j) * hidden));
  }
  return radius;
}

TEST(PrototypeCertificateTest, TheClassIsTheRealOneAndTheRadiusTheBestRowsFromBelow) {
  std::mt19937_64 random(1);
  for (const FrozenNetwork& network : Networks()) {
    const auto model = Create(network);
    const std::vector<double> bounds(model->layer_lipschitz_bounds().begin(),
                                     model->layer_lipschitz_bounds().end());
    for (int trial = 0; trial < TrialsOf(network, 60); ++trial) {
      const auto input = RandomFloats(random, model->input_size(), 1.0);
      const Answer answer = Classify(*model, input);
      ASSERT_EQ(answer.class_index, RealClass(network, input));
      const Quad real = RealRadius(network, bounds, input);
      EXPECT_LE(static_cast<Quad>(answer.radius_l2), real);
      EXPECT_GE(answer.radius_l2, static_cast<double>(real) * (1.0 - 1e-9) - 1e-9);
      const Answer fast = Classify(*model, input, RadiusPrecision::kFast);
      EXPECT_EQ(fast.class_index, answer.class_index);
      EXPECT_LE(static_cast<Quad>(fast.radius_l2), real);
    }
  }
}

TEST(PrototypeCertificateTest, ScoresAreThoseOfTheClasses) {
  std::mt19937_64 random(2);
  for (const FrozenNetwork& network : Networks()) {
    const auto model = Create(network);
    const auto input = RandomFloats(random, model->input_size(), 1.0);
    const auto real = QuadClassScores(network, input);
    const Answer answer = Classify(*model, input);
    ASSERT_EQ(answer.scores.size(), real.size());
    ASSERT_EQ(NumScores(network), real.size());
    std::vector<float> scores32(real.size());
    const auto worker = model->NewWorker();
    model->ScoresFloat32({input.data(), 1, input.size()}, *worker,
                         {scores32.data(), 1, scores32.size()});
    for (std::size_t c = 0; c < real.size(); ++c) {
      EXPECT_FLOAT_EQ(answer.scores[c], static_cast<float>(real[c]));
      EXPECT_NEAR(scores32[c], answer.scores[c], 1e-3F);
      EXPECT_LE(static_cast<Quad>(answer.margin_lower_bound),
                c == answer.class_index ? Quad{1e30} : real[answer.class_index] - real[c]);
    }
  }
}

// Towards every prototype of every other class, to just within the radius.
TEST(PrototypeCertificateTest, NoInputWithinTheRadiusChangesTheClass) {
  std::mt19937_64 random(3);
  double closest = 1e30;
  for (const FrozenNetwork& network : Networks()) {
    const auto model = Create(network);
    for (int trial = 0; trial < TrialsOf(network, 12); ++trial) {
      const auto input = RandomFloats(random, model->input_size(), 1.0);
      const Answer answer = Classify(*model, input);
      if (answer.radius_l2 == 0.0) continue;
      const std::size_t best = QuadArgmax(QuadRowScores(network, input));
      for (std::size_t j = 0; j < NumRows(network); ++j) {
        if (j / network.prototypes_per_class == answer.class_index) continue;
        const auto direction = MarginGradient(network, input, j, best);
        const auto within = Step(input, direction, answer.radius_l2 * (1.0 - 1e-6));
        ASSERT_EQ(RealClass(network, within), answer.class_index);
        ASSERT_EQ(Classify(*model, within).class_index, answer.class_index);
        const auto beyond = Step(input, direction, answer.radius_l2 * (1.0 + 1e-3));
        if (RealClass(network, beyond) != answer.class_index) {
          closest = std::min(closest, answer.radius_l2);
        }
      }
    }
  }
  EXPECT_LT(closest, 1e30) << "some radius should be tight, or the attack is too weak";
}

// Half way between two classes, in all three stages.
TEST(PrototypeCertificateTest, BoundaryInputsGetTheRealClass) {
  std::mt19937_64 random(4);
  int beyond_float32 = 0;
  for (const FrozenNetwork& network : Networks()) {
    const auto model = Create(network);
    const ExactNetwork exact(network);
    for (int trial = 0; trial < TrialsOf(network, 20); ++trial) {
      auto a = RandomFloats(random, model->input_size(), 1.0);
      auto b = RandomFloats(random, model->input_size(), 1.0);
      if (RealClass(network, a) == RealClass(network, b)) continue;
      for (int step = 0; step < 40; ++step) {
        std::vector<float> middle(a.size());
        for (std::size_t k = 0; k < a.size(); ++k) middle[k] = 0.5F * (a[k] + b[k]);
        const Answer answer = Classify(*model, middle);
        ASSERT_EQ(answer.class_index, RealClass(network, middle));
        ASSERT_EQ(exact.ClassOf(middle), answer.class_index);
        ASSERT_FALSE(answer.stages_disagreed);
        if (answer.decided_by != DecidedBy::kFloat32) ++beyond_float32;
        (answer.class_index == RealClass(network, a) ? a : b) = middle;
      }
    }
  }
  EXPECT_GT(beyond_float32, 50);
}

// One input, w = p and b = -p^2 / 2 for the given prototypes.
FrozenNetwork Line(const std::vector<float>& prototypes, std::size_t per_class) {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = 1};
  DenseLayer head{.inputs = 1, .outputs = prototypes.size(), .weights = prototypes, .bias = {}};
  for (const float p : prototypes) head.bias.push_back(-0.5F * p * p);
  EXPECT_TRUE(ClaimOperatorNorm(network.layers.emplace_back(head)).ok());
  network.prototypes_per_class = per_class;
  return network;
}

// Class 0 around -1 and 3, class 1 at 1: the second prototypes of both are duplicates or far away.
TEST(PrototypeCertificateTest, ATieOfPrototypesOfOneClassLimitsNothing) {
  const auto model = Create(Line({-1.0F, -1.0F, 1.0F, 100.0F}, 2));
  const Answer answer = Classify(*model, {-1.0F});
  EXPECT_EQ(answer.class_index, 0U);
  EXPECT_NEAR(answer.radius_l2, 1.0, 1e-12);
  EXPECT_LE(answer.radius_l2, 1.0);
}

TEST(PrototypeCertificateTest, EveryPrototypeOfTheOtherClassesCounts) {
  for (const std::vector<float>& others :
       {std::vector<float>{1.0F, 50.0F}, {50.0F, 1.0F}, {1.0F, 1.0F}}) {
    const auto model = Create(Line({-1.0F, -60.0F, others[0], others[1]}, 2));
    EXPECT_NEAR(Classify(*model, {-1.0F}).radius_l2, 1.0, 1e-12);
    const auto other_way = Create(Line({-60.0F, -1.0F, others[0], others[1]}, 2));
    EXPECT_NEAR(Classify(*other_way, {-1.0F}).radius_l2, 1.0, 1e-12);
  }
}

TEST(PrototypeCertificateTest, AnExactTieOfClassesIsTheLowerOnesWithoutRadius) {
  const auto model = Create(Line({-9.0F, -1.0F, 1.0F, 9.0F}, 2));
  const Answer tie = Classify(*model, {0.0F});
  EXPECT_EQ(tie.class_index, 0U);
  EXPECT_EQ(tie.radius_l2, 0.0);
  EXPECT_EQ(tie.decided_by, DecidedBy::kExact);
  EXPECT_EQ(Classify(*model, {0x1p-60F}).class_index, 1U);
}

// A prototype's score that is wrong by more than both errors shows, whichever prototype it is.
TEST(PrototypeCertificateTest, AWrongScoreOfAnyPrototypeIsInconsistent) {
  const FrozenNetwork network = Line({-1.0F, -3.0F, 1.0F, 3.0F}, 2);
  const NetworkBounds bounds = NetworkBounds::Create(network).value();
  const Certifier certifier(bounds);
  const std::vector<double> scores = {1.5 - 1.0, -1.5, -2.5, -10.5};
  const std::vector<Upper> norms = {Upper(1.0)};
  EXPECT_TRUE(certifier.AreConsistent(0, scores, norms, scores, norms));
  for (std::size_t i = 0; i < scores.size(); ++i) {
    std::vector<double> wrong = scores;
    wrong[i] += 1e-3;
    EXPECT_FALSE(certifier.AreConsistent(0, wrong, norms, scores, norms)) << i;
    EXPECT_FALSE(certifier.AreConsistent(0, scores, norms, wrong, norms)) << i;
  }
}

TEST(RowPairsTest, QuickBoundsAreBoundsAndTheOthersTight) {
  for (const FrozenNetwork& network : Networks()) {
    const RowPairs pairs(network);
    ASSERT_FALSE(pairs.AreTabulated());
    ASSERT_EQ(pairs.num_rows(), NumRows(network));
    for (std::size_t i = 0; i < pairs.num_rows(); ++i) {
      for (std::size_t j = 0; j < pairs.num_rows(); ++j) {
        const Quad distance = RowDistance(network, i, j);
        EXPECT_GE(static_cast<Quad>(pairs.Bounds(i, j).difference_norm.value()), distance);
        EXPECT_LE(pairs.Bounds(i, j).difference_norm.value(),
                  static_cast<double>(distance) * (1.0 + 1e-12) + 1e-99);
        EXPECT_GE(static_cast<Quad>(pairs.QuickBounds(i, j).difference_norm.value()), distance);
        EXPECT_GE(pairs.QuickBounds(i, j).absolute_norm.value(),
                  pairs.Bounds(i, j).absolute_norm.value() * (1.0 - 1e-12));
        EXPECT_EQ(pairs.QuickBounds(i, j).bias.value(), pairs.Bounds(i, j).bias.value());
      }
    }
  }
}

TEST(PrototypeNetworkTest, RefusesRowsThatDoNotMakeClasses) {
  FrozenNetwork network = Line({-1.0F, -3.0F, 1.0F, 3.0F}, 2);
  EXPECT_TRUE(CheckNetwork(network).ok());
  for (const std::size_t wrong : {0U, 3U, 4U, 8U}) {
    network.prototypes_per_class = wrong;
    const absl::Status status = CheckNetwork(network);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("prototypes_per_class: expected 1, or a number that divides the 4 "
                          "outputs of the last layer into at least two classes, got " +
                          std::to_string(wrong)));
  }
}

TEST(PrototypeNetworkTest, HasAsManyScoresAsClasses) {
  const FrozenNetwork network = Line({-1.0F, -3.0F, 1.0F, 3.0F}, 2);
  EXPECT_EQ(NumRows(network), 4U);
  EXPECT_EQ(NumScores(network), 2U);
  EXPECT_EQ(NumClasses(network), 2U);
}

}  // namespace
}  // namespace lipserve
