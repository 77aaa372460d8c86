// SPDX-License-Identifier: Apache-2.0
#include "model/execution/onednn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <thread>
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

class DenseForwardTest : public ::testing::TestWithParam<bool> {};

TEST_P(DenseForwardTest, MatchesFloat64AtEveryBatchSize) {
  constexpr std::size_t kInputs = 50;
  constexpr std::size_t kOutputs = 20;
  std::mt19937_64 random(1);
  const auto w = RandomFloats(random, kInputs * kOutputs, 1.0);
  const auto bias = GetParam() ? RandomFloats(random, kOutputs, 1.0) : std::vector<float>();
  const auto weights = DenseForward::PackWeights(w, bias, kInputs, kOutputs);
  for (const std::size_t batch : {1U, 2U, 7U, 64U}) {
    const DenseForward dense(weights, batch);
    const auto x = RandomFloats(random, batch * kInputs, 1.0);
    std::vector<float> y(batch * kOutputs);
    std::vector<std::byte> scratch(dense.scratch_bytes());
    dense.Execute(x.data(), y.data(), scratch.data());
    for (std::size_t r = 0; r < batch; ++r) {
      for (std::size_t o = 0; o < kOutputs; ++o) {
        double exact = bias.empty() ? 0.0 : static_cast<double>(bias[o]);
        double magnitude = std::fabs(exact);
        for (std::size_t k = 0; k < kInputs; ++k) {
          const double product =
              static_cast<double>(w[o * kInputs + k]) * static_cast<double>(x[r * kInputs + k]);
          exact += product;
          magnitude += std::fabs(product);
        }
        ASSERT_NEAR(static_cast<double>(y[r * kOutputs + o]), exact,
                    (kInputs + 2) * 0x1p-24 * magnitude);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Bias, DenseForwardTest, ::testing::Bool());

// With oneDNN's default scratchpad mode this crashes: created here, executed there.
TEST(DenseForwardThreadsTest, OtherThreadsThanTheCreatorMayExecute) {
  constexpr std::size_t kSize = 64;
  std::mt19937_64 random(2);
  const auto w = RandomFloats(random, kSize * kSize, 1.0);
  const DenseForward dense(DenseForward::PackWeights(w, {}, kSize, kSize), 4);
  const auto x = RandomFloats(random, 4 * kSize, 1.0);
  std::vector<float> expected(4 * kSize);
  std::vector<std::byte> scratch(dense.scratch_bytes());
  SetThreadsOfThisThread(1);
  dense.Execute(x.data(), expected.data(), scratch.data());
  std::vector<std::vector<float>> results(4, std::vector<float>(4 * kSize));
  std::vector<std::thread> threads;
  threads.reserve(results.size());
  for (auto& result : results) {
    threads.emplace_back([&] {
      SetThreadsOfThisThread(1);
      std::vector<std::byte> own_scratch(dense.scratch_bytes());
      for (int i = 0; i < 200; ++i) dense.Execute(x.data(), result.data(), own_scratch.data());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST(VersionTest, IsThatOfTheLibrary) {
  EXPECT_THAT(Version(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_FALSE(InstructionSet().empty());
}

}  // namespace
}  // namespace lipserve::onednn
