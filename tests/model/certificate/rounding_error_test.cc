// SPDX-License-Identifier: Apache-2.0
// The error bound of one dense layer against evaluations that are as bad as the standard allows:
// any order, unfused, underflowing (certificate/README.md, Lemma 1).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "model/arithmetic/vector_norm.h"
#include "model/certificate/certificate.h"
#include "model/execution/inference_graph.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/quad_eigenvalue.h"

namespace lipserve {
namespace {

FrozenNetwork OneDense(std::size_t inputs, std::vector<float> weights, std::vector<float> bias) {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = inputs};
  DenseLayer dense{.inputs = inputs,
                   .outputs = weights.size() / inputs,
                   .weights = std::move(weights),
                   .bias = std::move(bias),
                   .claimed_operator_norm_bound = 0.0};
  dense.claimed_operator_norm_bound =
      *BoundOperatorNorm({dense.weights.data(), dense.outputs, inputs});
  network.layers.emplace_back(std::move(dense));
  return network;
}

Upper Float32Error(const FrozenNetwork& network, const std::vector<float>& x) {
  const NetworkBounds bounds = *NetworkBounds::Create(network);
  const std::vector<Upper> norms = {NormBound(std::span<const float>(x))};
  return Certifier(bounds).ScoreDifferenceError(0, 1, norms, Arithmetic::kFloat32);
}

// Products rounded, then summed with the bias in the order given; the compiler may not fuse
// (-ffp-contract=off).
float SequentialScore(const DenseLayer& dense, const std::vector<float>& x,
                      const std::vector<std::size_t>& order) {
  volatile float sum = 0.0F;
  for (const std::size_t k : order) {
    const volatile float term = k == dense.inputs ? dense.bias[0] : dense.weights[k] * x[k];
    sum = sum + term;
  }
  return sum;
}

TEST(RoundingErrorTest, AnyOrderOfUnfusedSumsStaysWithinTheBound) {
  std::mt19937_64 random(1);
  double worst = 0.0;
  for (int trial = 0; trial < 20000; ++trial) {
    const std::size_t n = std::vector<std::size_t>{1, 2, 3, 8, 40}[random() % 5];
    // A small bias: with one input both roundings then hit the same number.
    const auto bias = RandomFloats(random, 1, 1e-3);
    const FrozenNetwork network = OneDense(n, RandomFloats(random, n, 1.0), bias);
    const auto& dense = std::get<DenseLayer>(network.layers[0]);
    const auto x = RandomFloats(random, n, 1.0);
    std::vector<std::size_t> order(n + 1);
    for (std::size_t k = 0; k <= n; ++k) order[k] = k;
    std::shuffle(order.begin(), order.end(), random);
    const Quad error =
        QuadAbs(static_cast<Quad>(SequentialScore(dense, x, order)) - QuadScores(network, x)[0]);
    const double bound = Float32Error(network, x).value();
    ASSERT_LE(static_cast<double>(error), bound) << n << " inputs";
    worst = std::max(worst, static_cast<double>(error) / bound);
  }
  EXPECT_GT(worst, 0.8);  // the bound cannot be much smaller: one rounding less would fail
}

// A sum as libraries evaluate it: the inputs dealt to lanes, each lane a chain of multiply-adds
// that fuses or does not, the lanes and the bias then added in a random tree.
float SplitScore(std::mt19937_64& random, const DenseLayer& dense, const std::vector<float>& x) {
  std::vector<float> sums(1 + random() % 16, 0.0F);
  for (std::size_t k = 0; k < dense.inputs; ++k) {
    float& lane = sums[random() % sums.size()];
    const volatile float product = dense.weights[k] * x[k];
    lane = random() % 2 == 0 ? std::fma(dense.weights[k], x[k], lane) : lane + product;
  }
  sums.push_back(dense.bias[0]);
  while (sums.size() > 1) {
    std::shuffle(sums.begin(), sums.end(), random);
    const float last = sums.back();
    sums.pop_back();
    sums.back() += last;
  }
  return sums[0];
}

TEST(RoundingErrorTest, AnySplitTreeAndFusionStaysWithinTheBound) {
  std::mt19937_64 random(2);
  for (int network_index = 0; network_index < 40; ++network_index) {
    const std::size_t n = std::vector<std::size_t>{1, 3, 40, 300}[random() % 4];
    const double scale = std::exp2(static_cast<double>(random() % 60) - 30.0);
    const FrozenNetwork network =
        OneDense(n, RandomFloats(random, n, scale), RandomFloats(random, 1, scale));
    const auto& dense = std::get<DenseLayer>(network.layers[0]);
    for (int trial = 0; trial < 100; ++trial) {
      const auto x = RandomFloats(random, n, 1.0);
      const Quad error =
          QuadAbs(static_cast<Quad>(SplitScore(random, dense, x)) - QuadScores(network, x)[0]);
      ASSERT_LE(static_cast<double>(error), Float32Error(network, x).value()) << n << " inputs";
    }
  }
}

TEST(RoundingErrorTest, StagnatingSumsStayWithinTheBound) {
  // 1 + t + t + ... with t just below half a unit of 1: every addition is lost.
  constexpr std::size_t kInputs = 784;
  std::vector<float> weights(kInputs, std::nextafter(0x1p-24F, 0.0F));
  weights[0] = 1.0F;
  const FrozenNetwork network = OneDense(kInputs, weights, {});
  const std::vector<float> x(kInputs, 1.0F);
  std::vector<std::size_t> order(kInputs);
  for (std::size_t k = 0; k < kInputs; ++k) order[k] = k;
  const auto& dense = std::get<DenseLayer>(network.layers[0]);
  const Quad error =
      QuadAbs(static_cast<Quad>(SequentialScore(dense, x, order)) - QuadScores(network, x)[0]);
  EXPECT_GT(static_cast<double>(error), 700 * 0x1p-24);
  EXPECT_LE(static_cast<double>(error), Float32Error(network, x).value());
}

// Class 0 really wins, 2^-140 against 2^-145, but each of its 1024 products underflows to zero.
TEST(RoundingErrorTest, UnderflowNeverDecidesAWrongClass) {
  constexpr std::size_t kInputs = 1025;
  std::vector<float> weights(2 * kInputs, 0.0F);
  std::fill_n(weights.begin(), 1024, 0x1p-100F);
  weights[kInputs + 1024] = 0x1p-100F;
  const FrozenNetwork network = OneDense(kInputs, weights, {});
  std::vector<float> x(kInputs, 0x1p-50F);
  x[1024] = 0x1p-45F;
  ASSERT_EQ(QuadArgmax(QuadScores(network, x)), 0U);
  const InferenceGraph graph(network, 1);
  auto workspace = graph.NewWorkspace();
  std::vector<float> scores(2);
  std::vector<Upper> norms(1);
  graph.Run({x.data(), 1, kInputs}, workspace, {scores.data(), 1, 2}, norms);
  const NetworkBounds bounds = *NetworkBounds::Create(network);
  const auto decided = Certifier(bounds).Decide(std::vector<double>(scores.begin(), scores.end()),
                                                norms, Arithmetic::kFloat32);
  EXPECT_FALSE(decided == 1U) << scores[0] << " " << scores[1];
}

}  // namespace
}  // namespace lipserve
