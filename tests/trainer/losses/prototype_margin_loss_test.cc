// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/prototype_margin_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loss_check.h"
#include "tests/trainer/matrices.h"
#include "trainer/losses/certified_estimates.h"
#include "trainer/losses/make_loss.h"
#include "trainer/losses/unit_box.h"

namespace lipserve::trainer {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kClasses = 3;
constexpr std::size_t kPerClass = 4;
constexpr std::size_t kRows = kClasses * kPerClass;

// Samples of [0, 1]^F among prototypes, and the scores that these give them.
struct PrototypeCase {
  std::size_t features;
  std::vector<std::int32_t> labels;
  std::vector<float> samples;     // [N, F]
  std::vector<float> prototypes;  // [kRows, F]
  std::vector<float> scores;      // [N, kRows]

  PrototypeCase(std::size_t count, std::size_t features_of_one, std::uint64_t seed)
      : features(features_of_one), scores(count * kRows) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
    for (std::size_t n = 0; n < count; ++n) {
      labels.push_back(static_cast<std::int32_t>(random() % kClasses));
    }
    samples.resize(count * features);
    prototypes.resize(kRows * features);
    for (float& number : samples) {
      // Many pixels are black or white already.
      number = std::clamp(2.0F * uniform(random) - 0.5F, 0.0F, 1.0F);
    }
    for (float& number : prototypes) number = 1.4F * uniform(random) - 0.2F;
    Score();
  }

  std::span<const float> sample(std::size_t n) const {
    return std::span(samples).subspan(n * features, features);
  }
  std::span<const float> prototype(std::size_t r) const {
    return std::span(prototypes).subspan(r * features, features);
  }

  void Score() {
    for (std::size_t n = 0; n < labels.size(); ++n) {
      for (std::size_t r = 0; r < kRows; ++r) {
        double score = 0.0;
        for (std::size_t k = 0; k < features; ++k) {
          const auto p = static_cast<double>(prototype(r)[k]);
          score += p * (static_cast<double>(sample(n)[k]) - 0.5 * p);
        }
        scores[n * kRows + r] = static_cast<float>(score);
      }
    }
  }

  ScoredBatch batch() const {
    return {.scores = {scores.data(), labels.size(), kRows},
            .labels = labels,
            .head = {prototypes.data(), kRows, features},
            .features = {samples.data(), labels.size(), features},
            .scores_per_class = kPerClass};
  }

  // p_other - p_own, and the difference of their scores, for every pair of sample n.
  template <typename Visit>
  void ForEachPair(std::size_t n, Visit visit) const {
    const auto label = static_cast<std::size_t>(labels[n]);
    const auto first = scores.begin() + static_cast<std::ptrdiff_t>(n * kRows + label * kPerClass);
    const auto own = label * kPerClass +
                     static_cast<std::size_t>(std::max_element(first, first + kPerClass) - first);
    for (std::size_t j = 0; j < kRows; ++j) {
      if (j / kPerClass == label) continue;
      std::vector<double> between(features);
      for (std::size_t k = 0; k < features; ++k) {
        between[k] = static_cast<double>(prototype(j)[k]) - static_cast<double>(prototype(own)[k]);
      }
      visit(between, static_cast<double>(scores[n * kRows + own]) -
                         static_cast<double>(scores[n * kRows + j]));
    }
  }

  double Radius(std::size_t n, bool in_box) const {
    double radius = std::numeric_limits<double>::infinity();
    ForEachPair(n, [&](const std::vector<double>& between, double difference) {
      double squares = 0.0;
      for (const double number : between) squares += number * number;
      const double ratio = difference / std::sqrt(squares);
      radius = std::min(radius, in_box && difference > 0.0
                                    ? NearestInUnitBox(sample(n), between, difference).length
                                    : ratio);
    });
    return radius;
  }
};

std::unique_ptr<Loss> MakePrototypeMargin(double margin, bool in_box) {
  auto loss = MakeLoss(ParseLoss("prototype_margin { margin: " + std::to_string(margin) +
                                 (in_box ? " inputs_in_unit_box: true }" : " }")),
                       kRows, kPerClass);
  EXPECT_TRUE(loss.ok()) << loss.status();
  return *std::move(loss);
}

TEST(PrototypeMarginLossTest, IsTheMeanHingeOfTheLeastRatio) {
  for (const bool in_box : {false, true}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const PrototypeCase c(16, 10, seed);
      double expected = 0.0;
      for (std::size_t n = 0; n < 16; ++n) {
        expected += std::max(0.0, 0.6 - c.Radius(n, in_box)) / 16.0;
      }
      EXPECT_NEAR(MakePrototypeMargin(0.6, in_box)->Evaluate(c.batch(), {}), expected, 1e-6);
    }
  }
}

// Against differences of the fourth order, both ways: through the scores alone, and through the
// distances alone.
TEST(PrototypeMarginLossTest, GradientsMatchDifferences) {
  for (const bool in_box : {false, true}) {
    SCOPED_TRACE(in_box);
    const auto loss = MakePrototypeMargin(1.0, in_box);
    // A single sample each, so that the one kink in a hundred that a step crosses is one failure.
    int wrong = 0;
    int checked = 0;
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      PrototypeCase c(1, 8, seed);
      std::vector<float> score_gradient(kRows);
      std::vector<float> head_gradient(c.prototypes.size());
      loss->Evaluate(c.batch(), {{score_gradient.data(), 1, kRows},
                                 {head_gradient.data(), kRows, c.features}});
      const auto check = [&](std::vector<float>& values, const std::vector<float>& got) {
        constexpr float kStep = 0x1p-11F;
        for (std::size_t i = 0; i < values.size(); ++i) {
          const float before = values[i];
          values[i] = before + kStep;
          const double above = loss->Evaluate(c.batch(), {});
          const auto top = static_cast<double>(values[i]);
          values[i] = before - kStep;
          const double below = loss->Evaluate(c.batch(), {});
          const double slope = (above - below) / (top - static_cast<double>(values[i]));
          values[i] = before;
          ++checked;
          // Second derivatives are below 20 here, third ones add h^2 of that; a wrong term is 0.1.
          if (!(std::abs(static_cast<double>(got[i]) - slope) < 1e-3)) ++wrong;
        }
      };
      check(c.scores, score_gradient);
      check(c.prototypes, head_gradient);
    }
    EXPECT_EQ(checked, 10 * static_cast<int>(kRows + kRows * 8));
    EXPECT_LE(wrong, checked / 100);
  }
}

TEST(PrototypeMarginLossTest, TheBoxNeverMakesARadiusSmaller) {
  int larger = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const PrototypeCase c(4, 10, seed);
    for (std::size_t n = 0; n < 4; ++n) {
      EXPECT_GE(c.Radius(n, true), c.Radius(n, false) - 1e-9);
      if (c.Radius(n, true) > c.Radius(n, false) + 0.01) ++larger;
    }
  }
  EXPECT_GT(larger, 5);
}

TEST(PrototypeMarginLossTest, EqualPrototypesOfTwoClassesGiveFiniteNumbers) {
  for (const bool in_box : {false, true}) {
    PrototypeCase c(8, 10, 1);
    std::fill(c.prototypes.begin(), c.prototypes.end(), 0.25F);
    c.Score();
    std::vector<float> score_gradient(8 * kRows);
    std::vector<float> head_gradient(c.prototypes.size());
    EXPECT_TRUE(std::isfinite(MakePrototypeMargin(1.0, in_box)
                                  ->Evaluate(c.batch(), {{score_gradient.data(), 8, kRows},
                                                         {head_gradient.data(), kRows, 10}})));
    for (const float slope : score_gradient) EXPECT_TRUE(std::isfinite(slope));
    for (const float slope : head_gradient) EXPECT_TRUE(std::isfinite(slope));
  }
}

TEST(PrototypeMarginLossTest, AccuracyAndEstimatesAreOfClasses) {
  const PrototypeCase c(200, 10, 3);
  double right = 0.0;
  double within = 0.0;
  for (std::size_t n = 0; n < 200; ++n) {
    if (c.Radius(n, false) > 0.0) right += 1.0 / 200.0;
    if (c.Radius(n, false) >= 0.1) within += 1.0 / 200.0;
  }
  const auto loss = MakePrototypeMargin(1.0, false);
  EXPECT_NEAR(loss->Metrics(c.batch().scores, c.labels)[0].value, right, 1e-12);
  const double epsilons[] = {0.1};
  EXPECT_NEAR(CertifiedEstimates(c.batch(), epsilons)[0].value, within, 1e-12);
}

TEST(PrototypeMarginLossTest, GoesWithNearestPrototypeAndNoOther) {
  const auto error = [](const std::string& text, std::size_t per_class) {
    return std::string(MakeLoss(ParseLoss(text), kRows, per_class).status().message());
  };
  EXPECT_THAT(error("prototype_margin { margin: 1 }", 0),
              HasSubstr("loss.prototype_margin: expected a last layer of nearest_prototype"));
  EXPECT_THAT(error("emma { epsilon: 1 }", kPerClass),
              HasSubstr("loss: expected prototype_margin"));
  EXPECT_THAT(error("prototype_margin {}", kPerClass),
              HasSubstr("loss.prototype_margin.margin: expected"));
}

// ---- the box -----------------------------------------------------------------------------------

// The nearest of a fine grid's points in the half space.
double NearestOfGrid(std::span<const float> x, std::span<const double> a, double gap, int cells) {
  double nearest = std::numeric_limits<double>::infinity();
  for (int i = 0; i <= cells; ++i) {
    for (int j = 0; j <= cells; ++j) {
      const double d0 = static_cast<double>(i) / cells - static_cast<double>(x[0]);
      const double d1 = static_cast<double>(j) / cells - static_cast<double>(x[1]);
      if (a[0] * d0 + a[1] * d1 < gap) continue;
      nearest = std::min(nearest, std::sqrt(d0 * d0 + d1 * d1));
    }
  }
  return nearest;
}

TEST(UnitBoxTest, IsTheDistanceToTheNearestPointOfAGrid) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  constexpr int kCells = 400;
  int unreachable = 0;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<float> x = {uniform(random), uniform(random)};
    if (trial % 3 == 0) x[trial % 2 == 0 ? 0 : 1] = trial % 4 == 0 ? 0.0F : 1.0F;
    const std::vector<double> a = {2.0 * static_cast<double>(uniform(random)) - 1.0,
                                   2.0 * static_cast<double>(uniform(random)) - 1.0};
    const double gap = 0.7 * static_cast<double>(uniform(random));
    const BoxStep step = NearestInUnitBox(x, a, gap);
    const double grid = NearestOfGrid(x, a, gap, kCells);
    if (std::isinf(step.length)) {
      EXPECT_TRUE(std::isinf(grid));
      ++unreachable;
      continue;
    }
    // The half space may hold no grid point near the solution but at its corner.
    EXPECT_LE(step.length, grid + 1e-12);
    if (std::isfinite(grid) && gap > 0.0) {
      const double slack = NearestOfGrid(x, a, gap * (1.0 - 0.05) - 0.01, kCells);
      EXPECT_GE(step.length, slack - 0.02);
    }
  }
  EXPECT_GT(unreachable, 10);
  EXPECT_LT(unreachable, 150);
}

TEST(UnitBoxTest, WithoutBordersInTheWayItIsTheDistanceToThePlane) {
  const std::vector<float> x(10, 0.5F);
  const std::vector<double> a(10, 0.2);
  const BoxStep step = NearestInUnitBox(x, a, 0.1);
  EXPECT_NEAR(step.length, 0.1 / (0.2 * std::sqrt(10.0)), 1e-12);
  EXPECT_NEAR(step.multiplier, 0.1 / 0.4, 1e-12);
  EXPECT_EQ(NearestInUnitBox(x, a, 0.0).length, 0.0);
}

}  // namespace
}  // namespace lipserve::trainer
