// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/invertible_down_sampling.h"

#include <random>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "model/certificate/convolution_norm.h"
#include "tests/trainer/image_check.h"

namespace lipserve::trainer {
namespace {

TEST(InvertibleDownSamplingTest, OrdersChannelsAsPixelUnshuffleDoes) {
  InvertibleDownSampling layer({2, 2, 2}, 2, 2);
  EXPECT_EQ(layer.output_shape(), (SampleShape{8, 1, 1}));
  const std::vector<float> x = {1, 10, 2, 20, 3, 30, 4, 40};  // two channels, side by side
  std::vector<float> y(8);
  layer.Forward({x.data(), 1, 8}, {y.data(), 1, 8});
  EXPECT_EQ(y, (std::vector<float>{1, 2, 3, 4, 10, 20, 30, 40}));
}

TEST(InvertibleDownSamplingTest, GradientMatchesDifferencesAndNothingStretches) {
  std::mt19937_64 random(91);
  InvertibleDownSampling layer({2, 4, 6}, 2, 3);
  ExpectGradientsMatchDifferences(layer, RandomNumbers(96, random), 2, random);
  EXPECT_LE(LargestStretch(layer, 48, random), 1.0 + 1e-12);
}

TEST(InvertibleDownSamplingTest, FreezesToAnExactConvolutionOfNormOne) {
  std::mt19937_64 random(92);
  const SampleShape image{3, 4, 6};
  InvertibleDownSampling layer(image, 2, 3);
  ExpectFreezesToWhatItComputes(layer, image, 0.0, random);
  const auto norm = BoundConvolutionNorm(std::get<ConvolutionLayer>(layer.Freeze()));
  ASSERT_TRUE(norm.ok()) << norm.status();
  EXPECT_NEAR(*norm, 1.0, 1e-9);
}

}  // namespace
}  // namespace lipserve::trainer
