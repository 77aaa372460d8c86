// SPDX-License-Identifier: Apache-2.0
#include "model/arithmetic/vector_norm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tests/model/network_fixtures.h"
#include "tests/model/quad_eigenvalue.h"

namespace lipserve {
namespace {

TEST(NormBoundTest, IsAboveTheExactNormAndClose) {
  std::mt19937_64 random(1);
  for (const std::size_t size : {0U, 1U, 7U, 8U, 9U, 784U, 10000U}) {
    const std::vector<float> x = RandomFloats(random, size, 1.0);
    const std::vector<double> wide(x.begin(), x.end());
    Quad squares = 0;
    Quad sum = 0;
    for (const float value : x) {
      squares += static_cast<Quad>(value) * value;
      sum += QuadAbs(value);
    }
    const Quad norm = QuadSqrt(squares);
    EXPECT_GE(static_cast<Quad>(NormBound(std::span<const float>(x)).value()), norm);
    EXPECT_LE(
        NormBound(std::span<const float>(x)).value(),
        static_cast<double>(norm) * (1.0 + static_cast<double>(size + 16) * 0x1p-52) + 0x1p-399);
    EXPECT_EQ(NormBound(std::span<const float>(x)).value(),
              NormBound(std::span<const double>(wide)).value());
    EXPECT_GE(static_cast<Quad>(Norm1Bound(x).value()), sum);
  }
}

// Every square is half a unit of the last place of the sum that it is added to, and is lost.
TEST(NormBoundTest, CoversSumsThatLoseTheirTerms) {
  constexpr std::size_t kLanes = 8;
  constexpr std::size_t kSize = kLanes << 12;
  std::vector<float> x(kSize, std::sqrt(0x1p-53F));
  std::fill_n(x.begin(), kLanes, 1.0F);
  Quad squares = 0;
  for (const float value : x) squares += static_cast<Quad>(value) * value;
  EXPECT_GE(static_cast<Quad>(NormBound(std::span<const float>(x)).value()), QuadSqrt(squares));
  Quad sum = 0;
  for (float& value : x) value *= value;
  for (const float value : x) sum += value;
  EXPECT_GE(static_cast<Quad>(Norm1Bound(x).value()), sum);
}

TEST(NormBoundTest, TinyNumbersDoNotVanish) {
  const std::vector<double> tiny(4, 1e-200);
  EXPECT_GE(NormBound(std::span<const double>(tiny)).value(), 2e-200);
}

TEST(NormBoundTest, NanAndInfinityGiveInfinity) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> x(20, 1.0F);
    x[13] = bad;
    EXPECT_TRUE(std::isinf(NormBound(std::span<const float>(x)).value()));
    EXPECT_TRUE(std::isinf(Norm1Bound(x).value()));
  }
}

}  // namespace
}  // namespace lipserve
