// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/centering.h"

#include <random>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "model/certificate/convolution_norm.h"
#include "tests/trainer/image_check.h"

namespace lipserve::trainer {
namespace {

constexpr SampleShape kCenteredImage{3, 4, 5};

void SetBias(Layer& layer, std::mt19937_64& random) {
  std::vector<float>& bias = layer.parameters()[0].values;
  bias = RandomNumbers(bias.size(), random);
}

TEST(CenteringTest, GradientsMatchDifferences) {
  std::mt19937_64 random(93);
  LayerCentering of_images(kCenteredImage, true);
  SetBias(of_images, random);
  ExpectGradientsMatchDifferences(of_images, RandomNumbers(2 * kCenteredImage.size(), random), 2,
                                  random);
  BatchCentering of_batches(kCenteredImage, true, 0.1F);
  SetBias(of_batches, random);
  InTraining in_training(of_batches);
  ExpectGradientsMatchDifferences(in_training, RandomNumbers(2 * kCenteredImage.size(), random), 2,
                                  random);
}

TEST(CenteringTest, NeverStretchAndFreezeToANormOfOne) {
  std::mt19937_64 random(94);
  LayerCentering of_images(kCenteredImage, true);
  SetBias(of_images, random);
  BatchCentering of_batches(kCenteredImage, false, 0.1F);
  of_batches.states()[0].values = RandomNumbers(kCenteredImage.channels, random);
  for (Layer* layer : {static_cast<Layer*>(&of_images), static_cast<Layer*>(&of_batches)}) {
    EXPECT_LE(LargestStretch(*layer, kCenteredImage.size(), random), 1.0 + kStretchRounding);
    ExpectFreezesToWhatItComputes(*layer, kCenteredImage, 1e-5, random);
    EXPECT_NEAR(ProvenNorm(layer->Freeze()), 1.0, 1e-6);
  }
}

TEST(CenteringTest, ImagesLoseTheirMeanChannelByChannel) {
  LayerCentering layer({2, 1, 2}, true);
  layer.parameters()[0].values = {0, 100};
  const std::vector<float> x = {1, 10, 3, 30};
  std::vector<float> y(4);
  layer.Forward({x.data(), 1, 4}, {y.data(), 1, 4});
  EXPECT_EQ(y, (std::vector<float>{-1, 90, 1, 110}));
}

TEST(CenteringTest, BatchesLoseTheirOwnMeanInTrainingAndTheRunningOneInEvaluation) {
  BatchCentering layer({1, 1, 2}, false, 0.5F);
  const std::vector<float> x = {2, 4, 6, 8};  // two images
  std::vector<float> y(4);
  layer.PrepareStep(true);
  layer.Forward({x.data(), 2, 2}, {y.data(), 2, 2});
  EXPECT_EQ(y, (std::vector<float>{-3, -1, 1, 3}));
  EXPECT_EQ(layer.states()[0].values, std::vector<float>{2.5F});
  layer.PrepareStep(false);
  layer.Forward({x.data(), 2, 2}, {y.data(), 2, 2});
  EXPECT_EQ(y, (std::vector<float>{-0.5F, 1.5F, 3.5F, 5.5F}));
  EXPECT_EQ(layer.states()[0].values, std::vector<float>{2.5F});
}

}  // namespace
}  // namespace lipserve::trainer
