// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/random_orthogonal.h"

#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/matrices.h"
#include "tests/trainer/orthogonal_check.h"

namespace lipserve::trainer {
namespace {

TEST(StandardNormalTest, HasTheMomentsOfANormal) {
  std::mt19937_64 random(13);
  constexpr int kCount = 200000;
  double sum = 0.0, sum2 = 0.0, sum4 = 0.0;
  for (int i = 0; i < kCount; ++i) {
    const double z = StandardNormal(random);
    sum += z;
    sum2 += z * z;
    sum4 += z * z * z * z;
  }
  // Five standard errors: Var(z) = 1, Var(z^2) = 2, Var(z^4) = 96.
  const double root = std::sqrt(static_cast<double>(kCount));
  EXPECT_NEAR(sum / kCount, 0.0, 5.0 / root);
  EXPECT_NEAR(sum2 / kCount, 1.0, 5.0 * std::sqrt(2.0) / root);
  EXPECT_NEAR(sum4 / kCount, 3.0, 5.0 * std::sqrt(96.0) / root);
}

TEST(StandardNormalTest, AgreesWithLibmAndIsPinnedToTheseBits) {
  std::mt19937_64 random(2024);
  std::mt19937_64 copy(2024);
  double a = 0.0, s = 0.0;
  do {
    a = static_cast<double>(copy() >> 11) * 0x1p-52 - 1.0;
    const double b = static_cast<double>(copy() >> 11) * 0x1p-52 - 1.0;
    s = a * a + b * b;
  } while (s >= 1.0);
  const double z = StandardNormal(random);
  EXPECT_NEAR(z, a * std::sqrt(-2.0 * std::log(s) / s), 1e-14);
  EXPECT_EQ(z, 0x1.f044db830627cp-2);
}

TEST(RandomOrthogonalTest, AllSingularValuesAreOneForEveryShape) {
  std::mt19937_64 random(14);
  for (const auto& [rows, cols] : kMatrixShapes) {
    const std::vector<float> matrix = RandomOrthogonal(rows, cols, random);
    ExpectOrthogonal(ConstMatrixView{matrix.data(), rows, cols}, 1e-6);
  }
}

TEST(RandomOrthogonalTest, SameSeedSameBytesAndAnotherSeedOthers) {
  std::mt19937_64 a(15), b(15), c(16);
  const std::vector<float> first = RandomOrthogonal(4, 6, a);
  EXPECT_EQ(first, RandomOrthogonal(4, 6, b));
  EXPECT_NE(first, RandomOrthogonal(4, 6, c));
}

TEST(RandomOrthogonalTest, EntriesOfAnOrthogonalMatrixAreCentredAndAlikeEverywhere) {
  std::mt19937_64 random(17);
  constexpr int kDraws = 4000;
  double sum[9] = {}, squares[9] = {};
  for (int draw = 0; draw < kDraws; ++draw) {
    const std::vector<float> matrix = RandomOrthogonal(3, 3, random);
    for (std::size_t i = 0; i < 9; ++i) {
      sum[i] += static_cast<double>(matrix[i]);
      squares[i] += static_cast<double>(matrix[i]) * static_cast<double>(matrix[i]);
    }
  }
  // Uniform on the sphere: mean 0, mean square 1/3, fourth moment 1/5. Five standard errors.
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_NEAR(sum[i] / kDraws, 0.0, 5.0 * std::sqrt(1.0 / 3.0 / kDraws));
    EXPECT_NEAR(squares[i] / kDraws, 1.0 / 3.0, 5.0 * std::sqrt((0.2 - 1.0 / 9.0) / kDraws));
  }
}

}  // namespace
}  // namespace lipserve::trainer
