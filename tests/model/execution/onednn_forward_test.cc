// SPDX-License-Identifier: Apache-2.0
#include "model/execution/onednn_forward.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "model/arithmetic/outward_rounding.h"
#include "model/execution/image_layout.h"
#include "model/execution/onednn.h"
#include "tests/model/network_fixtures.h"

namespace lipserve::onednn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

ConvolutionLayer Layer(const SampleShape& input, std::size_t outputs, const WindowAxis& axis,
                       std::size_t groups = 1) {
  std::mt19937_64 random(1);
  return RandomConvolution(random,
                           {.input = input,
                            .output_channels = outputs,
                            .groups = groups,
                            .vertical = axis,
                            .horizontal = axis},
                           1.0);
}

const WindowAxis kThree = {.size = 3, .padding_before = 1, .padding_after = 1};

// The channels-last results of one call on channels-last images.
std::vector<float> RunOn(const FrozenForward& convolution, const std::vector<float>& x,
                         std::size_t size) {
  std::vector<float> y(size);
  std::vector<std::byte> scratch(convolution.scratch_bytes());
  convolution.Execute(x.data(), y.data(), scratch.data());
  return y;
}

// The real results of one row-major image, row-major.
std::vector<Quad> Exact(const ConvolutionLayer& layer, std::span<const float> x) {
  const std::vector<Quad> wide(x.begin(), x.end());
  return QuadLayer{wide, layer.input}(layer);
}

// The single pixel of a layer whose window is the whole image.
float RunWindow(const ConvolutionLayer& layer, const std::vector<float>& x) {
  std::vector<float> last(x.size());
  ToChannelsLast(x.data(), layer.input, 1, last.data());
  return RunOn(FrozenForward(PackConvolution(layer), 1), last, 1)[0];
}

TEST(ConvolutionForwardTest, BatchSizesAgreeWithinTheBound) {
  const ConvolutionLayer layer =
      Layer({3, 9, 7}, 10, {.size = 3, .stride = 2, .padding_before = 1});
  const std::size_t outputs = layer.output().size();
  const auto weights = PackConvolution(layer);
  std::mt19937_64 random(2);
  const auto images = RandomFloats(random, 16 * layer.input.size(), 1.0);
  std::vector<float> x(images.size());
  ToChannelsLast(images.data(), layer.input, 16, x.data());
  const double gamma = Gamma(static_cast<double>(layer.fan_in() + 1), kUnitRoundoff32).value();
  for (const std::size_t batch : {1U, 3U, 16U}) {
    const auto y = RunOn(FrozenForward(weights, batch), x, batch * outputs);
    std::vector<float> row_major(y.size());
    ToRowMajor(y.data(), layer.output(), batch, row_major.data());
    for (std::size_t r = 0; r < batch; ++r) {
      const auto exact = Exact(layer, std::span<const float>(images).subspan(r * layer.input.size(),
                                                                             layer.input.size()));
      for (std::size_t k = 0; k < outputs; ++k) {
        // Standard normal weights and inputs: a sum of 27 magnitudes is below 27 * 25.
        ASSERT_NEAR(row_major[r * outputs + k], static_cast<double>(exact[k]), gamma * 27 * 25);
      }
    }
  }
}

// Each of these additions is lost to the 1 before it if summed in order, and may be in any order.
TEST(ConvolutionForwardTest, StagnatingSumsStayWithinTheBound) {
  ConvolutionLayer layer = Layer({16, 7, 7}, 1, {.size = 7});
  layer.weights.assign(layer.weights.size(), std::nextafter(0x1p-24F, 0.0F));
  layer.weights[0] = 1.0F;
  layer.bias.clear();
  const std::vector<float> x(layer.input.size(), 1.0F);
  const double exact = static_cast<double>(Exact(layer, x)[0]);
  EXPECT_NEAR(RunWindow(layer, x), exact,
              Gamma(static_cast<double>(layer.fan_in() + 1), kUnitRoundoff32).value() * exact);
}

// 2^24, 1, 1, ..., -2^24: the result depends on the order of the sum, the bound does not. Winograd
// transforms would mix the large numbers into outputs whose windows do not hold them.
TEST(ConvolutionForwardTest, CancellationStaysWithinTheBoundAndWithinItsWindow) {
  ConvolutionLayer layer = Layer({8, 12, 12}, 8, kThree);
  layer.weights.assign(layer.weights.size(), 1.0F);
  layer.bias.clear();
  std::vector<float> x(layer.input.size(), 1.0F);
  x[0] = 0x1p24F;
  x[1] = -0x1p24F;
  std::vector<float> last(x.size());
  ToChannelsLast(x.data(), layer.input, 1, last.data());
  const auto y = RunOn(FrozenForward(PackConvolution(layer), 1), last, layer.output().size());
  const auto exact = Exact(layer, x);
  for (std::size_t i = 0; i < 12; ++i) {
    for (std::size_t j = 0; j < 12; ++j) {
      const bool sees_large = i <= 1 && j <= 2;
      // Sums of at most 72 ones are exact.
      const double allowed = sees_large ? Gamma(73, kUnitRoundoff32).value() * 0x1p25 + 1e-4 : 0.0;
      for (std::size_t c = 0; c < 8; ++c) {
        ASSERT_NEAR(y[(i * 12 + j) * 8 + c], static_cast<double>(exact[(c * 12 + i) * 12 + j]),
                    allowed);
      }
    }
  }
}

// Lemma 1's underflow term: products below the smallest normal number may be flushed.
TEST(ConvolutionForwardTest, UnderflowStaysWithinTheBound) {
  ConvolutionLayer layer = Layer({4, 3, 3}, 1, {.size = 3});
  layer.weights.assign(layer.weights.size(), 0x1p-100F);
  layer.bias.clear();
  const std::vector<float> x(layer.input.size(), 0x1p-40F);
  const auto n = static_cast<double>(layer.fan_in());
  EXPECT_NEAR(RunWindow(layer, x), static_cast<double>(Exact(layer, x)[0]),
              kSmallestNormal32 * (2.0 * n + 2.0 + n * 0x1p-100 + n * 0x1p-40));
}

TEST(ConvolutionForwardTest, RunsOnKernelsThatAreNeitherWinogradNorTheReference) {
  const ConvolutionLayer layers[] = {
      Layer({1, 28, 28}, 16, kThree),
      Layer({3, 32, 32}, 32, kThree),
      Layer({64, 14, 14}, 64, kThree),
      Layer({32, 14, 14}, 64, {.size = 1}),
      Layer({128, 16, 16}, 128, kThree),
      Layer({16, 28, 28}, 32, {.size = 3, .stride = 2}),
      Layer({12, 14, 14}, 12, kThree, 3),
      Layer({64, 8, 8}, 64, kThree, 64),
      Layer({10, 9, 9}, 7, {.size = 5, .dilation = 2, .padding_before = 7}),
  };
  for (const ConvolutionLayer& layer : layers) {
    for (const std::size_t batch : {1U, 64U}) {
      const FrozenForward convolution(PackConvolution(layer), batch);
      EXPECT_THAT(convolution.implementation(),
                  AllOf(Not(HasSubstr("wino")), Not(HasSubstr("ref"))))
          << DescribeLayer(layer);
    }
  }
}

TEST(ConvolutionForwardThreadsTest, OtherThreadsThanTheCreatorMayExecute) {
  const ConvolutionLayer layer = Layer({8, 10, 10}, 16, kThree);
  SetThreadsOfThisThread(1);
  const FrozenForward convolution(PackConvolution(layer), 4);
  std::mt19937_64 random(2);
  const auto x = RandomFloats(random, 4 * layer.input.size(), 1.0);
  const std::size_t size = 4 * layer.output().size();
  const auto expected = RunOn(convolution, x, size);
  std::vector<std::vector<float>> results(4);
  std::vector<std::thread> threads;
  threads.reserve(results.size());
  for (auto& result : results) {
    threads.emplace_back([&] {
      SetThreadsOfThisThread(1);
      for (int i = 0; i < 50; ++i) result = RunOn(convolution, x, size);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

class DenseForwardTest : public ::testing::TestWithParam<bool> {};

TEST_P(DenseForwardTest, MatchesFloat64AtEveryBatchSize) {
  constexpr std::size_t kInputs = 50;
  constexpr std::size_t kOutputs = 20;
  std::mt19937_64 random(1);
  const auto w = RandomFloats(random, kInputs * kOutputs, 1.0);
  const auto bias = GetParam() ? RandomFloats(random, kOutputs, 1.0) : std::vector<float>();
  const auto weights = PackDense(w, bias, kInputs, kOutputs);
  for (const std::size_t batch : {1U, 2U, 7U, 64U}) {
    const FrozenForward dense(weights, batch);
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
  const FrozenForward dense(PackDense(w, {}, kSize, kSize), 4);
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

}  // namespace
}  // namespace lipserve::onednn
