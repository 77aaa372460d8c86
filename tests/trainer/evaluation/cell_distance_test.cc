// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/cell_distance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/model/network_fixtures.h"
#include "trainer/losses/unit_box.h"

namespace lipserve::trainer {
namespace {

using ::testing::HasSubstr;

constexpr AllowedInputs kBoth[] = {AllowedInputs::kAll, AllowedInputs::kUnitBox};

// Prototypes in and around [0, 1]^inputs.
FrozenNetwork RandomPrototypes(std::uint64_t seed, std::size_t inputs, std::size_t classes,
                               std::size_t per_class) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> uniform(-0.2F, 1.2F);
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = inputs};
  network.layers.emplace_back(FlattenLayer{});
  DenseLayer head{.inputs = inputs, .outputs = classes * per_class, .weights = {}, .bias = {}};
  for (std::size_t r = 0; r < head.outputs; ++r) {
    double squares = 0.0;
    for (std::size_t k = 0; k < inputs; ++k) {
      head.weights.push_back(uniform(random));
      squares += std::pow(static_cast<double>(head.weights.back()), 2.0);
    }
    head.bias.push_back(static_cast<float>(-0.5 * squares));
  }
  network.layers.emplace_back(head);
  network.prototypes_per_class = per_class;
  return network;
}

std::vector<float> RandomImage(std::mt19937_64& random, std::size_t size) {
  std::uniform_real_distribution<float> uniform(-0.5F, 1.5F);
  std::vector<float> image(size);
  for (float& pixel : image) pixel = std::clamp(uniform(random), 0.0F, 1.0F);
  return image;
}

std::size_t RealClass(const FrozenNetwork& network, const std::vector<float>& input) {
  return QuadArgmax(QuadClassScores(network, input));
}

double RadiusOf(const FrozenNetwork& network, const std::vector<float>& input,
                AllowedInputs allowed) {
  const auto distance = CellDistance::Create(network);
  EXPECT_TRUE(distance.ok()) << distance.status();
  const ScopedStrictFloatingPoint strict;
  return distance->Radius(input, RealClass(network, input), allowed);
}

// The distance at which the ray from `input` along `u` first enters a cell of another class, by the
// definition of a cell: f_j >= f_i for every row i of the class, each a bound of the distance.
double FirstEntry(const FrozenNetwork& network, const std::vector<float>& input,
                  const std::vector<double>& u, std::size_t chosen) {
  const auto& head = std::get<DenseLayer>(network.layers.back());
  const auto rows = QuadRowScores(network, input);
  const std::size_t count = network.prototypes_per_class;
  double first = std::numeric_limits<double>::infinity();
  for (std::size_t j = 0; j < rows.size(); ++j) {
    if (j / count == chosen) continue;
    double from = 0.0;
    double to = std::numeric_limits<double>::infinity();
    for (std::size_t i = chosen * count; i < (chosen + 1) * count; ++i) {
      double slope = 0.0;
      for (std::size_t k = 0; k < u.size(); ++k) {
        slope += u[k] * (static_cast<double>(head.weights[j * u.size() + k]) -
                         static_cast<double>(head.weights[i * u.size() + k]));
      }
      const auto margin = static_cast<double>(rows[i] - rows[j]);
      if (slope > 0.0) {
        from = std::max(from, margin / slope);
      } else if (margin > 0.0) {
        to = -1.0;
      } else if (slope < 0.0) {
        to = std::min(to, margin / slope);
      }
    }
    if (from <= to) first = std::min(first, from);
  }
  return first;
}

// How far a ray stays in [0, 1]^n.
double LengthInBox(const std::vector<float>& input, const std::vector<double>& u) {
  double length = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < u.size(); ++k) {
    const auto start = static_cast<double>(input[k]);
    if (u[k] > 0.0) length = std::min(length, (1.0 - start) / u[k]);
    if (u[k] < 0.0) length = std::min(length, -start / u[k]);
  }
  return length;
}

// In the plane, where rays can go everywhere, the radius is never above the least distance at
// which one enters another class, and nearly always that distance.
TEST(CellDistanceTest, IsTheDistanceAtWhichTheFirstRayEntersAnotherClass) {
  constexpr int kRays = 20000;
  int compared = 0;
  int near = 0;
  for (const AllowedInputs allowed : kBoth) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const FrozenNetwork network = RandomPrototypes(seed, 2, 3, 4);
      std::mt19937_64 random(seed);
      const std::vector<float> input = RandomImage(random, 2);
      const std::size_t chosen = RealClass(network, input);
      double nearest = std::numeric_limits<double>::infinity();
      for (int ray = 0; ray < kRays; ++ray) {
        const double angle = 2.0 * M_PI * ray / kRays;
        const std::vector<double> u = {std::cos(angle), std::sin(angle)};
        const double entry = FirstEntry(network, input, u, chosen);
        if (allowed == AllowedInputs::kUnitBox && entry > LengthInBox(input, u)) continue;
        nearest = std::min(nearest, entry);
      }
      const double radius = RadiusOf(network, input, allowed);
      EXPECT_LE(radius, nearest * (1.0 + 1e-9));
      if (!std::isfinite(nearest)) continue;
      ++compared;
      // A ray misses a corner by up to 3e-4 of the distance.
      if (radius >= 0.999 * nearest) ++near;
    }
  }
  EXPECT_GT(compared, 20);
  // Where planes meet at a small angle, the search for weights stops early.
  EXPECT_GE(near, compared * 9 / 10);
}

// One prototype a class: cells are cut off by planes, and the distances are known.
TEST(CellDistanceTest, OfSinglePrototypesItIsTheDistanceToThePlanes) {
  std::mt19937_64 random(3);
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const FrozenNetwork network = RandomPrototypes(seed, 20, 4, 1);
    const auto& head = std::get<DenseLayer>(network.layers.back());
    const std::vector<float> input = RandomImage(random, 20);
    const std::size_t chosen = RealClass(network, input);
    const auto scores = QuadRowScores(network, input);
    for (const AllowedInputs allowed : kBoth) {
      double expected = static_cast<double>(std::numeric_limits<float>::max());
      for (std::size_t j = 0; j < head.outputs; ++j) {
        if (j == chosen) continue;
        std::vector<double> a(20);
        double squares = 0.0;
        for (std::size_t k = 0; k < 20; ++k) {
          a[k] = static_cast<double>(head.weights[j * 20 + k]) -
                 static_cast<double>(head.weights[chosen * 20 + k]);
          squares += a[k] * a[k];
        }
        const auto gap = static_cast<double>(scores[chosen] - scores[j]);
        expected = std::min(expected, allowed == AllowedInputs::kAll
                                          ? gap / std::sqrt(squares)
                                          : NearestInUnitBox(input, a, gap).length);
      }
      const double radius = RadiusOf(network, input, allowed);
      EXPECT_LE(radius, expected * (1.0 + 1e-9));
      if (expected < 1e6) {
        EXPECT_GE(radius, expected * (1.0 - 1e-4));
      }
    }
  }
}

// Random steps, and steps to the nearest points of single planes, of just less than the radius.
TEST(CellDistanceTest, NoAllowedInputWithinTheRadiusIsOfAnotherClass) {
  std::mt19937_64 random(4);
  int tried = 0;
  for (std::uint64_t seed = 0; seed < 15; ++seed) {
    const FrozenNetwork network = RandomPrototypes(seed, 12, 3, 5);
    const auto& head = std::get<DenseLayer>(network.layers.back());
    const std::vector<float> input = RandomImage(random, 12);
    const std::size_t chosen = RealClass(network, input);
    for (const AllowedInputs allowed : kBoth) {
      const double radius = RadiusOf(network, input, allowed);
      if (radius == 0.0) continue;
      for (std::size_t j = 0; j < head.outputs; ++j) {
        if (j / 5 == chosen) continue;
        for (const double noise : {0.0, 0.05, 0.3}) {
          // Towards the other prototype, back into the box and the ball.
          std::vector<float> moved = input;
          double squares = 0.0;
          std::normal_distribution<double> normal;
          for (std::size_t k = 0; k < 12; ++k) {
            double d = static_cast<double>(head.weights[j * 12 + k]) -
                       static_cast<double>(input[k]) + noise * normal(random);
            if (allowed == AllowedInputs::kUnitBox) {
              d = std::clamp(static_cast<double>(input[k]) + d, 0.0, 1.0) -
                  static_cast<double>(input[k]);
            }
            moved[k] = static_cast<float>(d);
            squares += d * d;
          }
          const double shrink = std::min(1.0, radius * (1.0 - 1e-6) / std::sqrt(squares));
          for (std::size_t k = 0; k < 12; ++k) {
            moved[k] = static_cast<float>(static_cast<double>(input[k]) +
                                          shrink * static_cast<double>(moved[k]));
          }
          EXPECT_EQ(RealClass(network, moved), chosen);
          ++tried;
        }
      }
    }
  }
  EXPECT_GT(tried, 500);
}

TEST(CellDistanceTest, TheBoxNeverMakesTheRadiusSmaller) {
  std::mt19937_64 random(5);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const FrozenNetwork network = RandomPrototypes(seed, 12, 3, 5);
    const std::vector<float> input = RandomImage(random, 12);
    EXPECT_GE(RadiusOf(network, input, AllowedInputs::kUnitBox),
              RadiusOf(network, input, AllowedInputs::kAll) * (1.0 - 1e-4));
  }
}

// A tie, an input outside the box, the wrong class: nothing is proven.
TEST(CellDistanceTest, ProvesNothingWhereNothingIsTrue) {
  FrozenNetwork network = RandomPrototypes(1, 12, 3, 5);
  std::mt19937_64 random(6);
  std::vector<float> input = RandomImage(random, 12);
  const auto distance = CellDistance::Create(network);
  ASSERT_TRUE(distance.ok()) << distance.status();
  const ScopedStrictFloatingPoint strict;
  const std::size_t chosen = RealClass(network, input);
  for (const AllowedInputs allowed : kBoth) {
    EXPECT_EQ(distance->Radius(input, (chosen + 1) % 3, allowed), 0.0);
  }
  input[0] = 1.0F + 0x1p-20F;
  const std::size_t outside = RealClass(network, input);
  EXPECT_EQ(distance->Radius(input, outside, AllowedInputs::kUnitBox), 0.0);
  auto& head = std::get<DenseLayer>(network.layers.back());
  std::fill(head.weights.begin(), head.weights.end(), 0.5F);
  std::fill(head.bias.begin(), head.bias.end(), 0.0F);
  EXPECT_EQ(RadiusOf(network, std::vector<float>(12, 0.5F), AllowedInputs::kAll), 0.0);
}

TEST(CellDistanceTest, RefusesNetworksWhosePrototypesAreNotAmongTheInputs) {
  const auto error = [](const FrozenNetwork& network) {
    return std::string(CellDistance::Create(network).status().message());
  };
  EXPECT_THAT(error(WithPrototypes(RandomNetwork(1, {12, 8, 3}), 1, 2)),
              HasSubstr("expected nothing but flatten before the last layer, got layer 1, dense"));
  EXPECT_THAT(error(RandomNetwork(1, {12, 1})), HasSubstr("expected a row for each class"));
}

}  // namespace
}  // namespace lipserve::trainer
