// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/attacks/rounding_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "tests/model/network_fixtures.h"
#include "tests/soundness/attacks/exact_ball.h"

namespace lipserve {
namespace {

constexpr std::size_t kSize = 784;

std::vector<double> RandomDirection(std::mt19937_64& random) {
  const auto floats = RandomFloats(random, kSize, 1.0);
  return {floats.begin(), floats.end()};
}

TEST(RoundingSearchTest, FillsTheBallToWithin1e8OfItsRadius) {
  std::mt19937_64 random(1);
  for (const double radius : {1e-3, 0.1, 1.0, 30.0}) {
    const auto center = RandomFloats(random, kSize, 1.0);
    RoundingSearch search(center, RandomDirection(random), radius, random);
    for (int i = 0; i < 200; ++i) {
      const auto point = search.Next();
      ASSERT_TRUE(IsInBall(point, std::span<const float>(center), radius));
      EXPECT_GT(DistanceEstimate(point, center), radius * (1.0 - 1e-8)) << radius;
    }
  }
}

TEST(RoundingSearchTest, HardlyEverRepeatsAPoint) {
  std::mt19937_64 random(2);
  const auto center = RandomFloats(random, kSize, 1.0);
  RoundingSearch search(center, RandomDirection(random), 0.5, random);
  std::set<std::vector<float>> seen;
  for (int i = 0; i < 200; ++i) {
    const auto point = search.Next();
    seen.insert({point.begin(), point.end()});
  }
  EXPECT_GT(seen.size(), 190U);
}

TEST(RoundingSearchTest, StaysOnTheLineToItsRounding) {
  std::mt19937_64 random(3);
  const auto center = RandomFloats(random, kSize, 1.0);
  const auto direction = RandomDirection(random);
  double squares = 0.0;
  for (const double d : direction) squares += d * d;
  RoundingSearch search(center, direction, 0.5, random);
  const auto point = search.Next();
  for (std::size_t k = 0; k < kSize; ++k) {
    const double exact = static_cast<double>(center[k]) + 0.5 * direction[k] / std::sqrt(squares);
    EXPECT_NEAR(point[k], exact, 0x1p-23 * std::fmax(std::fabs(exact), 1e-30));
  }
}

TEST(RoundingSearchTest, SurvivesWhatHasNoDirectionOrNoRoom) {
  std::mt19937_64 random(4);
  const std::vector<float> center = {1.0F, std::numeric_limits<float>::max()};
  RoundingSearch nowhere(center, std::vector<double>{0.0, 0.0}, 1.0, random);
  EXPECT_TRUE(std::ranges::equal(nowhere.Next(), center));
  RoundingSearch beyond(center, std::vector<double>{0.0, 1.0}, 1e38, random);
  EXPECT_TRUE(std::ranges::equal(beyond.Next(), center));
  // Too coarse: the nearest float32 number is farther away than the radius.
  RoundingSearch coarse(center, std::vector<double>{1.0, 0.0}, 1e-12, random);
  EXPECT_TRUE(std::ranges::equal(coarse.Next(), center));
}

}  // namespace
}  // namespace lipserve
