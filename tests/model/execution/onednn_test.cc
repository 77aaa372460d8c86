// SPDX-License-Identifier: Apache-2.0
#include "model/execution/onednn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tests/model/network_fixtures.h"

namespace lipserve::onednn {
namespace {

// |computed - exact| <= (K + 2) 2^-24 sum |a b| for sums of K products in any order.
void ExpectGemmNear(Op op_a, Op op_b, std::size_t m, std::size_t n, std::size_t k) {
  std::mt19937_64 random(m * 100 + n * 10 + k);
  const auto a = RandomFloats(random, m * k, 1.0);
  const auto b = RandomFloats(random, k * n, 1.0);
  auto c = RandomFloats(random, m * n, 1.0);
  const auto before = c;
  const bool ta = op_a == Op::kTranspose;
  const bool tb = op_b == Op::kTranspose;
  Gemm(op_a, op_b, 2.0F, {a.data(), ta ? k : m, ta ? m : k}, {b.data(), tb ? n : k, tb ? k : n},
       0.5F, {c.data(), m, n});
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double exact = 0.5 * static_cast<double>(before[i * n + j]);
      double magnitude = std::fabs(exact);
      for (std::size_t t = 0; t < k; ++t) {
        const double product = 2.0 * static_cast<double>(ta ? a[t * m + i] : a[i * k + t]) *
                               static_cast<double>(tb ? b[j * k + t] : b[t * n + j]);
        exact += product;
        magnitude += std::fabs(product);
      }
      ASSERT_NEAR(static_cast<double>(c[i * n + j]), exact,
                  static_cast<double>(k + 4) * 0x1p-24 * magnitude);
    }
  }
}

TEST(GemmTest, MatchesFloat64ForEveryTransposition) {
  for (const Op op_a : {Op::kNone, Op::kTranspose}) {
    for (const Op op_b : {Op::kNone, Op::kTranspose}) {
      ExpectGemmNear(op_a, op_b, 5, 7, 3);
      ExpectGemmNear(op_a, op_b, 32, 32, 784);
      ExpectGemmNear(op_a, op_b, 1, 16, 128);
    }
  }
}

TEST(VersionTest, IsThatOfTheLibrary) {
  EXPECT_THAT(Version(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_FALSE(InstructionSet().empty());
}

}  // namespace
}  // namespace lipserve::onednn
