// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/margin_gradient.h"
#include "tests/model/network_fixtures.h"
#include "tests/trainer/threshold_model.h"
#include "trainer/evaluation/frozen_gradient.h"
#include "trainer/evaluation/robustness_attack.h"

namespace lipserve::trainer {
namespace {

using ::testing::HasSubstr;

DenseLayer Dense(std::size_t inputs, std::size_t outputs, std::mt19937_64& random) {
  return RandomDense(random, inputs, outputs, 1.0 / std::sqrt(static_cast<double>(inputs)));
}

ConvolutionLayer Convolution(SampleShape input, std::size_t outputs, PaddingMode mode,
                             std::mt19937_64& random) {
  ConvolutionLayer layer;
  layer.input = input;
  layer.output_channels = outputs;
  layer.vertical = {.size = 3, .stride = 1, .padding_before = 1, .padding_after = 1};
  layer.horizontal = layer.vertical;
  layer.padding_mode = mode;
  return RandomConvolution(random, layer, 0.3);
}

// Every kind of layer, on colour images.
FrozenNetwork EveryLayer(PaddingMode mode, std::mt19937_64& random) {
  FrozenNetwork network;
  network.input_shape = {3, 8, 8};
  network.layers = {Convolution({3, 8, 8}, 4, mode, random),
                    GroupSortLayer{2},
                    AveragePoolLayer{2, 2, 0.5F},
                    Convolution({4, 4, 4}, 6, mode, random),
                    GroupSortLayer{3},
                    L2NormPoolLayer{2, 2},
                    FlattenLayer{},
                    Dense(24, 3, random)};
  return network;
}

TEST(FrozenGradientTest, IsTheFloat64GradientOfEveryKindOfLayer) {
  std::mt19937_64 random(3);
  for (const FrozenNetwork& network :
       {EveryLayer(PaddingMode::kZero, random), EveryLayer(PaddingMode::kCircular, random),
        RandomActivationNetwork(3, 3), RandomPotentialNetwork(3, 3),
        RandomBranchingNetwork(3, 3)}) {
    ASSERT_TRUE(CheckNetwork(network).ok()) << CheckNetwork(network);
    FrozenGradient gradient(network);
    constexpr std::size_t kBatch = 3;
    const std::size_t size = network.input_shape.size();
    const std::vector<float> inputs = RandomFloats(random, kBatch * size, 1.0);
    const ConstMatrixView scores = gradient.Scores({inputs.data(), kBatch, size});
    const std::vector<float> weights = {1, -1, 0, 0, 1, -1, -1, 0, 1};
    const std::size_t pairs[kBatch][2] = {{0, 1}, {1, 2}, {2, 0}};
    const ConstMatrixView found = gradient.Gradient({weights.data(), kBatch, 3});
    for (std::size_t n = 0; n < kBatch; ++n) {
      const auto input = std::span(inputs).subspan(n * size, size);
      const TracedScores trace = TraceScores(network, input);
      // Float32 sums of fewer than 100 products of size about 1.
      for (std::size_t s = 0; s < 3; ++s) {
        ASSERT_NEAR(static_cast<double>(scores.row(n)[s]), trace.scores()[s], 1e-4);
      }
      const std::vector<double> expected = MarginGradient(network, trace, pairs[n][0], pairs[n][1]);
      for (std::size_t k = 0; k < size; ++k) {
        ASSERT_NEAR(static_cast<double>(found.row(n)[k]), expected[k], 1e-4) << n << " " << k;
      }
    }
  }
}

TEST(FrozenGradientTest, ADenseLayerMayReadColourImages) {
  std::mt19937_64 random(4);
  FrozenNetwork network;
  network.input_shape = {3, 2, 2};
  network.layers = {Dense(12, 2, random)};
  FrozenGradient gradient(network);
  const std::vector<float> input = RandomFloats(random, 12, 1.0);
  gradient.Scores({input.data(), 1, 12});
  const std::vector<float> weights = {1, -1};
  const ConstMatrixView found = gradient.Gradient({weights.data(), 1, 2});
  const std::vector<double> expected = MarginGradient(network, input, 0, 1);
  for (std::size_t k = 0; k < 12; ++k) {
    ASSERT_NEAR(static_cast<double>(found.row(0)[k]), expected[k], 1e-5) << k;
  }
}

constexpr double kEpsilons[] = {0.5, 2.5};

TEST(AttackSamplesTest, FindsTheTrueDistanceWhereThatIsTheRadius) {
  const auto model = CertifiedThresholdModel();
  const Samples samples = SixSamples();
  const auto evaluation = Evaluate(*model, samples, kEpsilons);
  const auto empirical = AttackSamples(*model, samples, *evaluation, kEpsilons, 100);
  ASSERT_TRUE(empirical.ok()) << empirical.status();
  EXPECT_EQ(empirical->samples, 6U);
  ASSERT_EQ(empirical->distances_l2.size(), 4U);
  for (std::size_t n = 0; n < 4; ++n) {
    const double distance = std::vector<double>{1, 2, 3, 5}[n];
    EXPECT_GE(empirical->distances_l2[n], distance - 1e-9);
    EXPECT_LE(empirical->distances_l2[n], distance * (1.0 + 1e-5));
  }
  EXPECT_NEAR(empirical->accuracies[0].certified, 4.0 / 6.0, 1e-12);
  EXPECT_NEAR(empirical->accuracies[0].empirical, 4.0 / 6.0, 1e-12);
  EXPECT_NEAR(empirical->accuracies[1].certified, 2.0 / 6.0, 1e-12);
  EXPECT_NEAR(empirical->accuracies[1].empirical, 2.0 / 6.0, 1e-12);
}

TEST(AttackSamplesTest, ARadiusThatIsTooLargeIsFoundOut) {
  const auto model = CertifiedThresholdModel();
  const Samples samples = SixSamples();
  auto evaluation = Evaluate(*model, samples, kEpsilons);
  evaluation->outcomes[1].radius_l2 *= 1.01;
  EXPECT_THAT(
      std::string(AttackSamples(*model, samples, *evaluation, kEpsilons, 100).status().message()),
      HasSubstr("sample 1: expected no other class within its certified radius 2.02"));
}

TEST(AttackSamplesTest, ManyClassesAndLayersStayBetweenProofAndTruth) {
  std::mt19937_64 random(7);
  FrozenModel frozen;
  frozen.pixel_divisor = 255.0;
  frozen.class_labels = {"a", "b", "c"};
  frozen.network.input_shape = {1, 4, 4};
  frozen.network.layers = {FlattenLayer{}, Dense(16, 8, random), GroupSortLayer{2},
                           Dense(8, 3, random)};
  const auto model = CertifiedModel::Create(std::move(frozen), 16);
  ASSERT_TRUE(model.ok()) << model.status();
  Samples samples;
  samples.shape = {1, 4, 4};
  samples.class_names = {"a", "b", "c"};
  for (int i = 0; i < 60; ++i) {
    for (int p = 0; p < 16; ++p) samples.pixels.push_back(static_cast<std::uint8_t>(random()));
    samples.labels.push_back(i % 3);
  }
  const double epsilons[] = {0.01, 0.05, 0.1, 0.5};
  const auto evaluation = Evaluate(**model, samples, epsilons);
  const auto empirical = AttackSamples(**model, samples, *evaluation, epsilons, 60);
  ASSERT_TRUE(empirical.ok()) << empirical.status();
  std::size_t found = 0;
  for (const double distance : empirical->distances_l2) found += std::isfinite(distance) ? 1U : 0U;
  EXPECT_GE(found, empirical->distances_l2.size() * 9 / 10);
  for (const EmpiricalAccuracy& at : empirical->accuracies) {
    EXPECT_LE(at.certified, at.empirical) << at.epsilon;
  }
}

}  // namespace
}  // namespace lipserve::trainer
