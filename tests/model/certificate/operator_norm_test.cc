// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/operator_norm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/network_fixtures.h"
#include "tests/model/orthonormal_rows.h"
#include "tests/model/quad_eigenvalue.h"

namespace lipserve {
namespace {

void ExpectTightBound(const std::vector<float>& weights, std::size_t rows, std::size_t cols) {
  const ConstMatrixView w{weights.data(), rows, cols};
  const auto bound = BoundOperatorNorm(w);
  ASSERT_TRUE(bound.ok()) << bound.status();
  const Quad exact = QuadOperatorNorm(w);
  EXPECT_GE(static_cast<Quad>(*bound), exact);
  EXPECT_LE(*bound, static_cast<double>(exact) * (1.0 + 2e-10));
  EXPECT_TRUE(ProveOperatorNormAtMost(w, *bound).ok());
}

TEST(OperatorNormTest, BoundIsNeverBelowAndCloseAboveTheLargestSingularValue) {
  std::mt19937_64 random(1);
  const std::vector<std::pair<std::size_t, std::size_t>> shapes = {
      {1, 1}, {1, 50}, {50, 1}, {2, 2}, {3, 7}, {16, 32}, {32, 16}, {20, 20}, {9, 200}};
  for (const auto& [rows, cols] : shapes) {
    SCOPED_TRACE(::testing::Message() << rows << " x " << cols);
    ExpectTightBound(RandomFloats(random, rows * cols, 1.0), rows, cols);
  }
}

TEST(OperatorNormTest, IsTightWhenAllSingularValuesAreEqual) {
  std::mt19937_64 random(2);
  ExpectTightBound(OrthonormalRows(random, 32, 784), 32, 784);
  ExpectTightBound(OrthonormalRows(random, 16, 32), 16, 32);
}

TEST(OperatorNormTest, HoldsForRankOneRepeatedAndZeroRows) {
  std::mt19937_64 random(3);
  const auto row = RandomFloats(random, 30, 1.0);
  std::vector<float> weights;
  for (int i = 0; i < 6; ++i) weights.insert(weights.end(), row.begin(), row.end());
  ExpectTightBound(weights, 6, 30);
  std::fill(weights.begin() + 30, weights.begin() + 90, 0.0F);
  ExpectTightBound(weights, 6, 30);
}

TEST(OperatorNormTest, HoldsAtExtremeScales) {
  std::mt19937_64 random(4);
  const auto weights = RandomFloats(random, 8 * 20, 1.0);
  const double norm = *BoundOperatorNorm({weights.data(), 8, 20});
  for (const int exponent : {-100, -20, 20, 100}) {
    std::vector<float> scaled = weights;
    for (float& value : scaled) value = std::ldexp(value, exponent);
    const auto bound = BoundOperatorNorm({scaled.data(), 8, 20});
    ASSERT_TRUE(bound.ok()) << bound.status();
    EXPECT_DOUBLE_EQ(*bound, std::ldexp(norm, exponent)) << exponent;
  }
}

TEST(OperatorNormTest, HoldsWhenOneWeightDwarfsTheRest) {
  std::mt19937_64 random(5);
  auto weights = RandomFloats(random, 8 * 20, 1.0);
  weights[37] = 0x1p40F;
  ExpectTightBound(weights, 8, 20);
}

TEST(OperatorNormTest, AClaimJustBelowTheTruthIsNotProven) {
  std::mt19937_64 random(6);
  for (const bool orthonormal : {false, true}) {
    const auto weights =
        orthonormal ? OrthonormalRows(random, 16, 64) : RandomFloats(random, 16 * 64, 1.0);
    const ConstMatrixView w{weights.data(), 16, 64};
    const auto exact = static_cast<double>(QuadOperatorNorm(w));
    EXPECT_FALSE(ProveOperatorNormAtMost(w, exact * (1.0 - 1e-12)).ok());
    EXPECT_FALSE(ProveOperatorNormAtMost(w, exact * 0.5).ok());
    EXPECT_TRUE(ProveOperatorNormAtMost(w, exact * (1.0 + 1e-9)).ok());
    EXPECT_TRUE(ProveOperatorNormAtMost(w, exact * 10.0).ok());
  }
}

// Too many singular values for the quick look from below, which would refute such a claim of a
// small matrix by itself.
TEST(OperatorNormTest, AClaimBelowTheTruthThatNoEstimateRefutesIsNotProven) {
  std::mt19937_64 random(7);
  const auto weights = RandomFloats(random, 48 * 60, 1.0);
  const ConstMatrixView w{weights.data(), 48, 60};
  const auto exact = static_cast<double>(QuadOperatorNorm(w));
  for (const double below : {1e-7, 1e-12}) {
    EXPECT_FALSE(ProveOperatorNormAtMost(w, exact * (1.0 - below)).ok()) << below;
  }
  EXPECT_TRUE(ProveOperatorNormAtMost(w, exact * (1.0 + 1e-9)).ok());
}

// 1 and 2^20 weights whose squares float64 loses against it: the computed Gram matrix is 1, the
// exact one 1 + 2^-34.
TEST(OperatorNormTest, RoundingOfTheGramMatrixIsAccountedFor) {
  std::vector<float> weights((std::size_t{1} << 20) + 1, 0x1p-27F);
  weights[0] = 1.0F;
  const ConstMatrixView w{weights.data(), 1, weights.size()};
  const Quad exact = QuadSqrt(1 + static_cast<Quad>(0x1p-34));
  EXPECT_FALSE(ProveOperatorNormAtMost(w, static_cast<double>(exact) * (1.0 - 1e-12)).ok());
  EXPECT_GE(static_cast<Quad>(*BoundOperatorNorm(w)), exact);
}

TEST(OperatorNormTest, ClaimsThatAreNoNumbersAreNotProven) {
  const std::vector<float> w = {1.0F, 2.0F};
  for (const double claim : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()}) {
    EXPECT_FALSE(ProveOperatorNormAtMost({w.data(), 1, 2}, claim).ok()) << claim;
  }
}

TEST(OperatorNormTest, TheZeroMatrixHasNormZero) {
  const std::vector<float> w(6, 0.0F);
  EXPECT_EQ(*BoundOperatorNorm({w.data(), 2, 3}), 0.0);
  EXPECT_TRUE(ProveOperatorNormAtMost({w.data(), 2, 3}, 0.0).ok());
  EXPECT_FALSE(ProveOperatorNormAtMost({w.data(), 2, 3}, -1.0).ok());
}

// Two methods that prove one number: a bug in either shows where they part.
TEST(OperatorNormTest, MethodsThatDisagreeAreRefused) {
  EXPECT_EQ(*SmallerOfAgreeingBounds(1.0, 1.0 + 1e-7), 1.0);
  EXPECT_EQ(*SmallerOfAgreeingBounds(2.0 + 1e-7, 2.0), 2.0);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto& [a, b] : {std::pair{1.0, 1.0 + 1e-5},
                             {1.0 + 1e-5, 1.0},
                             {1.0, 0.5},
                             {1.0, nan},
                             {nan, 1.0},
                             {1.0, infinity},
                             {0.0, 1.0}}) {
    EXPECT_EQ(SmallerOfAgreeingBounds(a, b).status().code(), absl::StatusCode::kInternal)
        << a << ", " << b;
  }
}

TEST(OperatorNormTest, ProofsBeyondTheLimitsAreRefusedWithTheirSizes) {
  const std::vector<float> w(64 * 64, 1.0F);
  const ProofLimits limits{.bytes = 1e3, .flops = 1e9};
  EXPECT_EQ(BoundOperatorNorm({w.data(), 64, 64}, limits).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(ProveOperatorNormAtMost({w.data(), 64, 64}, 1e9, limits).message()),
      ::testing::HasSubstr("64 x 64 matrix takes 0 MB and 6.1e+05 operations, expected at most"));
}

}  // namespace
}  // namespace lipserve
