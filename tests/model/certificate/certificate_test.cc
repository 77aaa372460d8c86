// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/certificate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <random>
#include <vector>

#include "model/execution/float64_network.h"
#include "model/execution/inference_graph.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/quad_eigenvalue.h"

namespace lipserve {
namespace {

// One network with both evaluations and its certifier.
struct Subject {
  explicit Subject(FrozenNetwork net)
      : network(std::move(net)),
        bounds(NetworkBounds::Create(network).value()),
        certifier(bounds),
        graph(network, 1),
        float64(network, 1) {}
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  struct Evaluation {
    std::vector<double> scores;
    std::vector<Upper> norms;
  };

  Evaluation Run(const std::vector<float>& input, Arithmetic arithmetic) const {
    const ConstMatrixView row{input.data(), 1, input.size()};
    const std::size_t num_scores = NumRows(network);
    Evaluation result{std::vector<double>(num_scores),
                      std::vector<Upper>(graph.num_rounding_layers())};
    if (arithmetic == Arithmetic::kFloat32) {
      auto workspace = graph.NewWorkspace();
      std::vector<float> scores(num_scores);
      graph.Run(row, workspace, {scores.data(), 1, num_scores}, result.norms);
      result.scores.assign(scores.begin(), scores.end());
    } else {
      auto workspace = float64.NewWorkspace();
      float64.Run(row, workspace, result.scores, result.norms);
    }
    return result;
  }

  FrozenNetwork network;
  NetworkBounds bounds;
  Certifier certifier;
  InferenceGraph graph;
  Float64Network float64;
};

// A bias of `offset` on the first layer, compensated in the next: cancellation that float32 cannot
// carry (Murray 2026, adversarial models).
FrozenNetwork WithCancellingBias(FrozenNetwork network, float offset) {
  auto& first = std::get<DenseLayer>(network.layers[1]);
  auto& second = std::get<DenseLayer>(network.layers[3]);
  for (float& b : first.bias) b = offset;
  for (std::size_t o = 0; o < second.outputs; ++o) {
    double sum = 0.0;
    for (std::size_t k = 0; k < second.inputs; ++k) {
      sum += static_cast<double>(second.weights[o * second.inputs + k]);
    }
    second.bias[o] = static_cast<float>(-sum * static_cast<double>(offset));
  }
  return network;
}

std::deque<Subject> Subjects() {
  std::deque<Subject> subjects;  // never moves its elements
  subjects.emplace_back(RandomNetwork(1, {20, 1}));
  subjects.emplace_back(RandomNetwork(2, {20, 8, 1}));
  subjects.emplace_back(RandomNetwork(3, {64, 32, 16, 5}));
  subjects.emplace_back(RandomNetwork(4, {300, 40, 3}));
  subjects.emplace_back(WithCancellingBias(RandomNetwork(5, {20, 16, 3}), 1e3F));
  subjects.emplace_back(WithCancellingBias(RandomNetwork(6, {20, 16, 1}), 5e6F));
  return subjects;
}

TEST(CertifierTest, ScoreDifferencesErrByNoMoreThanTheBound) {
  std::mt19937_64 random(1);
  for (const Subject& subject : Subjects()) {
    for (int trial = 0; trial < 200; ++trial) {
      const double scale = std::exp2(static_cast<double>(random() % 20) - 10.0);
      const auto x = RandomFloats(random, subject.network.input_shape.size(), scale);
      const auto exact = QuadClassScores(subject.network, x);
      for (const Arithmetic arithmetic : {Arithmetic::kFloat32, Arithmetic::kFloat64}) {
        auto run = subject.Run(x, arithmetic);
        if (run.scores.size() == 1) run.scores.push_back(0.0);
        for (std::size_t j = 1; j < exact.size(); ++j) {
          const Quad error =
              QuadAbs((static_cast<Quad>(run.scores[0]) - run.scores[j]) - (exact[0] - exact[j]));
          EXPECT_LE(
              error,
              static_cast<Quad>(
                  subject.certifier.ScoreDifferenceError(0, j, run.norms, arithmetic).value()));
        }
      }
    }
  }
}

TEST(CertifierTest, TwoTrueEvaluationsAreConsistent) {
  std::mt19937_64 random(7);
  for (const Subject& subject : Subjects()) {
    for (int trial = 0; trial < 200; ++trial) {
      const double scale = std::exp2(static_cast<double>(random() % 20) - 10.0);
      const auto x = RandomFloats(random, subject.network.input_shape.size(), scale);
      const auto run32 = subject.Run(x, Arithmetic::kFloat32);
      const auto run64 = subject.Run(x, Arithmetic::kFloat64);
      for (std::size_t chosen = 0; chosen < subject.bounds.pairs().num_rows(); ++chosen) {
        EXPECT_TRUE(subject.certifier.AreConsistent(chosen, run32.scores, run32.norms, run64.scores,
                                                    run64.norms));
      }
    }
  }
}

// A score that is wrong by more than both errors, in either evaluation, in either direction: also
// one that leaves the class and only enlarges its margin.
TEST(CertifierTest, AWrongScoreInEitherEvaluationIsInconsistent) {
  std::mt19937_64 random(8);
  for (const Subject& subject : Subjects()) {
    const auto x = RandomFloats(random, subject.network.input_shape.size(), 1.0);
    const auto run32 = subject.Run(x, Arithmetic::kFloat32);
    const auto run64 = subject.Run(x, Arithmetic::kFloat64);
    const std::size_t chosen = Certifier::LargestScore(run64.scores);
    const std::size_t score = run64.scores.size() == 1 ? 0 : chosen;
    double allowed = 0.0;
    for (std::size_t j = 0; j < subject.bounds.pairs().num_rows(); ++j) {
      if (j == chosen) continue;
      const auto error = [&](const Subject::Evaluation& run, Arithmetic arithmetic) {
        return subject.certifier.ScoreDifferenceError(chosen, j, run.norms, arithmetic).value();
      };
      allowed = std::max(allowed,
                         error(run32, Arithmetic::kFloat32) + error(run64, Arithmetic::kFloat64));
    }
    for (const double wrong : {2.1 * allowed, -2.1 * allowed, std::nan("")}) {
      auto wrong32 = run32;
      auto wrong64 = run64;
      wrong32.scores[score] += wrong;
      wrong64.scores[score] += wrong;
      EXPECT_FALSE(subject.certifier.AreConsistent(chosen, wrong32.scores, wrong32.norms,
                                                   run64.scores, run64.norms));
      EXPECT_FALSE(subject.certifier.AreConsistent(chosen, run32.scores, run32.norms,
                                                   wrong64.scores, wrong64.norms));
    }
  }
}

TEST(CertifierTest, AFloat32EvaluationThatMayHaveOverflowedContradictsNothing) {
  const Subject subject(RandomNetwork(1, {20, 8, 3}));
  const std::vector<double> nonsense(3, std::numeric_limits<double>::quiet_NaN());
  const std::vector<Upper> huge(2, Upper(0x1p130));
  const auto run64 = subject.Run(std::vector<float>(20, 1.0F), Arithmetic::kFloat64);
  EXPECT_TRUE(subject.certifier.AreConsistent(0, nonsense, huge, run64.scores, run64.norms));
}

// Inputs bisected onto the boundary, where a filter without a true error bound answers wrongly.
TEST(CertifierTest, ADecidedClassIsTheRealArgmaxEvenOnTheBoundary) {
  std::mt19937_64 random(2);
  int undecided32 = 0;
  int decided64 = 0;
  for (const Subject& subject : Subjects()) {
    const std::size_t size = subject.network.input_shape.size();
    for (int trial = 0; trial < 40; ++trial) {
      auto a = RandomFloats(random, size, 1.0);
      auto b = RandomFloats(random, size, 1.0);
      const auto real_class = [&](const std::vector<float>& x) {
        return QuadArgmax(QuadClassScores(subject.network, x));
      };
      if (real_class(a) == real_class(b)) continue;
      for (int step = 0; step < 40; ++step) {
        std::vector<float> middle(size);
        for (std::size_t k = 0; k < size; ++k) middle[k] = 0.5F * (a[k] + b[k]);
        for (const Arithmetic arithmetic : {Arithmetic::kFloat32, Arithmetic::kFloat64}) {
          const auto run = subject.Run(middle, arithmetic);
          const auto decided = subject.certifier.Decide(run.scores, run.norms, arithmetic);
          if (decided) {
            ASSERT_EQ(*decided, real_class(middle));
          }
          if (arithmetic == Arithmetic::kFloat32 && !decided) ++undecided32;
          if (arithmetic == Arithmetic::kFloat64 && decided) ++decided64;
        }
        (real_class(middle) == real_class(a) ? a : b) = middle;
      }
    }
  }
  // The test means something: float32 gave up often, float64 seldom.
  EXPECT_GT(undecided32, 100);
  EXPECT_GT(decided64, 500);
}

// For a linear binary model the distance to the boundary is known: |f| / ||w||.
TEST(CertifierTest, TheRadiusOfALinearModelIsTheExactDistanceFromBelow) {
  std::mt19937_64 random(3);
  const Subject subject(RandomNetwork(7, {50, 1}));
  const auto& dense = std::get<DenseLayer>(subject.network.layers[1]);
  Quad squares = 0;
  for (const float w : dense.weights) squares += static_cast<Quad>(w) * w;
  for (int trial = 0; trial < 500; ++trial) {
    const auto x = RandomFloats(random, 50, 1.0);
    const Quad distance = QuadAbs(QuadScores(subject.network, x)[0]) / QuadSqrt(squares);
    const auto run = subject.Run(x, Arithmetic::kFloat64);
    const auto decided = subject.certifier.Decide(run.scores, run.norms, Arithmetic::kFloat64);
    ASSERT_TRUE(decided.has_value());
    const Certificate certificate =
        subject.certifier.Certify(*decided, run.scores, run.norms, Arithmetic::kFloat64);
    EXPECT_LE(static_cast<Quad>(certificate.radius_l2), distance);
    EXPECT_GE(certificate.radius_l2, static_cast<double>(distance) * (1.0 - 1e-7) - 1e-9);
  }
}

TEST(CertifierTest, TheMarginIsALowerBoundOfTheRealOneOverAllClasses) {
  std::mt19937_64 random(4);
  for (const Subject& subject : Subjects()) {
    for (int trial = 0; trial < 100; ++trial) {
      const auto x = RandomFloats(random, subject.network.input_shape.size(), 1.0);
      const auto run = subject.Run(x, Arithmetic::kFloat64);
      const auto decided = subject.certifier.Decide(run.scores, run.norms, Arithmetic::kFloat64);
      if (!decided) continue;
      const Certificate certificate =
          subject.certifier.Certify(*decided, run.scores, run.norms, Arithmetic::kFloat64);
      const auto exact = QuadClassScores(subject.network, x);
      for (std::size_t j = 0; j < exact.size(); ++j) {
        if (j == *decided) continue;
        EXPECT_LE(static_cast<Quad>(certificate.margin_lower_bound), exact[*decided] - exact[j]);
      }
    }
  }
}

TEST(CertifierTest, OverflowInFloat32IsNeverDecidedButFloat64Still) {
  const Subject subject(RandomNetwork(8, {20, 8, 3}));
  std::mt19937_64 random(5);
  auto x = RandomFloats(random, 20, 1.0);
  for (float& value : x) value *= 0x1p126F;
  const auto fast = subject.Run(x, Arithmetic::kFloat32);
  EXPECT_FALSE(subject.certifier.Decide(fast.scores, fast.norms, Arithmetic::kFloat32).has_value());
  const auto slow = subject.Run(x, Arithmetic::kFloat64);
  const auto decided = subject.certifier.Decide(slow.scores, slow.norms, Arithmetic::kFloat64);
  ASSERT_TRUE(decided.has_value());
  EXPECT_EQ(*decided, QuadArgmax(QuadClassScores(subject.network, x)));
}

TEST(CertifierTest, NotANumberDecidesAndCertifiesNothing) {
  const Subject subject(RandomNetwork(9, {20, 8, 3}));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Upper> norms(2, Upper(1.0));
  for (const Arithmetic arithmetic : {Arithmetic::kFloat32, Arithmetic::kFloat64}) {
    EXPECT_FALSE(subject.certifier.Decide(std::vector<double>{nan, 1.0, 0.0}, norms, arithmetic));
    EXPECT_FALSE(subject.certifier.Decide(std::vector<double>{5.0, nan, 0.0}, norms, arithmetic));
  }
  EXPECT_EQ(
      subject.certifier.Certify(0, std::vector<double>{5.0, nan, 0.0}, norms, Arithmetic::kFloat64)
          .radius_l2,
      0.0);
  const std::vector<Upper> unknown(2, Upper(nan));
  EXPECT_EQ(subject.certifier
                .Certify(0, std::vector<double>{5.0, 1.0, 0.0}, unknown, Arithmetic::kFloat64)
                .radius_l2,
            0.0);
}

TEST(CertifierTest, TiesAreNotCertified) {
  FrozenNetwork network = RandomNetwork(10, {6, 3});
  auto& dense = std::get<DenseLayer>(network.layers[1]);
  std::copy_n(dense.weights.begin(), 6, dense.weights.begin() + 6);
  dense.bias[1] = dense.bias[0];
  dense.claimed_operator_norm_bound = *BoundOperatorNorm({dense.weights.data(), 3, 6});
  const Subject subject(network);
  const std::vector<double> scores = {1.0, 1.0, -50.0};
  const std::vector<Upper> norms(1, Upper(1.0));
  EXPECT_FALSE(subject.certifier.Decide(scores, norms, Arithmetic::kFloat64).has_value());
  EXPECT_EQ(subject.certifier.Certify(0, scores, norms, Arithmetic::kFloat64).radius_l2, 0.0);
}

TEST(CertifierTest, EveryClassCountsNotOnlyTheRunnerUp) {
  // Class 1 is the runner-up, but class 2's row is so steep that its boundary is nearer.
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = 2};
  DenseLayer dense{.inputs = 2,
                   .outputs = 3,
                   .weights = {0.0F, 0.0F, 0.5F, 0.0F, 0.0F, 100.0F},
                   .bias = {},
                   .claimed_operator_norm_bound = 0.0};
  dense.claimed_operator_norm_bound = *BoundOperatorNorm({dense.weights.data(), 3, 2});
  network.layers.emplace_back(dense);
  const Subject subject(network);
  const std::vector<float> x = {-1.0F, -0.01F};  // scores 0, -0.5, -1
  const auto run = subject.Run(x, Arithmetic::kFloat64);
  const Certificate certificate =
      subject.certifier.Certify(0, run.scores, run.norms, Arithmetic::kFloat64);
  EXPECT_NEAR(certificate.margin_lower_bound, 0.5, 1e-9);
  EXPECT_NEAR(certificate.radius_l2, 0.01, 1e-9);
}

// The theorem for networks with L2-norm pools: within a radius the real margin keeps 2^-55 of what
// it is at the centre, and that is at least 2^-752, for it is the rounded difference of numbers
// above the underflow term. So it exceeds 2^-1500, below which the exact stage may round.
TEST(CertifierTest, InsideTheRadiusTheMarginExceedsWhatTheExactStageRounds) {
  std::mt19937_64 random(9);
  const auto any = [&](int low, int high) {
    const double mantissa = 1.0 + static_cast<double>(random() >> 12) * 0x1p-52;
    return std::ldexp(mantissa, std::uniform_int_distribution<int>(low, high)(random));
  };
  for (int trial = 0; trial < 100000; ++trial) {
    // Quotients near powers of two, where neighbours are unevenly spaced, among them.
    const double lipschitz = trial % 2 == 0 ? any(-60, 200) : std::ldexp(1.0, trial % 100);
    const double margin =
        trial % 3 == 0 ? std::nextafter(std::ldexp(1.0, -trial % 700), 0.0) : any(-700, 100);
    const Quad radius = DivideDown(margin, lipschitz);
    EXPECT_GE(static_cast<Quad>(margin) - radius * lipschitz, static_cast<Quad>(margin) * 0x1p-55)
        << margin << " / " << lipschitz;
    const double difference = any(-699, 100);
    const double error = trial % 2 == 0 ? any(-699, 100) : std::nextafter(difference, 0.0);
    const double left = SubtractDown(difference, error);
    EXPECT_TRUE(left <= 0.0 || left >= 0x1p-752) << difference << " - " << error;
  }
}

}  // namespace
}  // namespace lipserve
