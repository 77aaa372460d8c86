// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/residual.h"

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/trainer/image_check.h"
#include "trainer/network/trainable_network.h"

namespace lipserve::trainer {
namespace {

constexpr SampleShape kResidualImage{2, 4, 4};

// A residual block of two convolutions, and a head that leaves its scores as they are.
std::unique_ptr<TrainableNetwork> MakeResidualNetwork(const std::string& skip) {
  v1::Recipe recipe;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "layers { residual { layers { convolution { filters: 4 kernel_size: 3 use_bias: true aol {} "
      "} }"
      " layers { prelu {} }"
      " layers { convolution { filters: 2 kernel_size: 3 use_bias: true aol {} } } " +
          skip + " } } layers { flatten {} } layers { spectral_dense { units: 3 } }",
      &recipe));
  auto network = TrainableNetwork::Create(recipe, kResidualImage, 61);
  EXPECT_TRUE(network.ok()) << network.status();
  return *std::move(network);
}

void DisturbNetwork(TrainableNetwork& network, std::mt19937_64& random) {
  for (Parameter* parameter : network.Parameters()) {
    const std::vector<float> noise = RandomNumbers(parameter->values.size(), random, 0.2);
    for (std::size_t i = 0; i < noise.size(); ++i) parameter->values[i] += noise[i];
  }
}

TEST(ResidualTest, GradientsOfTheImageAndOfTheWeightMatchDifferences) {
  std::mt19937_64 random(62);
  const auto network = MakeResidualNetwork("");
  DisturbNetwork(*network, random);
  // Inputs near which no PReLU bends: its numbers are of the size of the biases and below.
  std::vector<float> x = RandomNumbers(2 * kResidualImage.size(), random);
  for (Parameter* parameter : network->Parameters()) {
    if (parameter->name != "bias" || parameter->values.size() != 4) continue;
    for (float& bias : parameter->values) bias = std::copysign(6.0F, bias);
  }
  ExpectGradientsMatchDifferences(*network->layers()[0], x, 2, random);
}

TEST(ResidualTest, NeverStretches) {
  std::mt19937_64 random(63);
  for (const char* skip : {"", "initial_skip: 0.05", "initial_skip: 0.9"}) {
    const auto network = MakeResidualNetwork(skip);
    DisturbNetwork(*network, random);
    EXPECT_LE(LargestStretch(*network->layers()[0], kResidualImage.size(), random),
              1.0 + kStretchRounding);
  }
}

TEST(ResidualTest, FreezesToAChainThatComputesTheSame) {
  std::mt19937_64 random(64);
  for (const char* skip : {"", "initial_skip: 0.05", "initial_skip: 0.9"}) {
    const auto network = MakeResidualNetwork(skip);
    DisturbNetwork(*network, random);
    ASSERT_EQ(network->layers()[0]->FreezeToChain().size(), 3U);
    ExpectFreezesToWhatItComputes(*network->layers()[0], kResidualImage, 1e-5, random);
  }
}

TEST(ResidualTest, StartsWithTheWeightThatTheRecipeSays) {
  const auto network = MakeResidualNetwork("initial_skip: 0.2");
  std::mt19937_64 random(65);
  // A branch of zeros leaves a x.
  for (Parameter* parameter : network->Parameters()) {
    if (parameter->name == "kernel")
      std::fill(parameter->values.begin(), parameter->values.end(), 0.0F);
  }
  const std::vector<float> x = RandomNumbers(kResidualImage.size(), random);
  std::vector<float> y(x.size());
  Layer& block = *network->layers()[0];
  block.PrepareStep(false);
  block.Forward({x.data(), 1, x.size()}, {y.data(), 1, y.size()});
  for (std::size_t k = 0; k < x.size(); ++k) EXPECT_NEAR(y[k], 0.2F * x[k], 1e-6) << k;
}

TEST(ResidualTest, LayersInsideHaveNamesOfTheirOwn) {
  const auto network = MakeResidualNetwork("");
  EXPECT_THAT(network->ParameterNames(),
              ::testing::ElementsAre("layer0.alpha", "layer0.branch0.kernel", "layer0.branch0.bias",
                                     "layer0.branch1.slope", "layer0.branch2.kernel",
                                     "layer0.branch2.bias", "layer2.kernel"));
  EXPECT_EQ(network->Parameters().size(), 7U);
  EXPECT_EQ(network->Freeze().layers.size(), 5U);
}

}  // namespace
}  // namespace lipserve::trainer
