// SPDX-License-Identifier: Apache-2.0
#include "trainer/report/singular_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <random>
#include <vector>

namespace lipserve::trainer {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Gram matrices lose half the digits.
constexpr double kTolerance = 1e-7;

DenseLayer Dense(std::size_t outputs, std::size_t inputs, std::vector<float> weights) {
  DenseLayer layer;
  layer.outputs = outputs;
  layer.inputs = inputs;
  layer.weights = std::move(weights);
  return layer;
}

ConvolutionLayer Convolution(SampleShape input, std::size_t outputs, std::size_t size,
                             std::size_t stride) {
  ConvolutionLayer layer;
  layer.input = input;
  layer.output_channels = outputs;
  layer.vertical = {.size = size, .stride = stride};
  layer.horizontal = {.size = size, .stride = stride};
  layer.padding_mode = PaddingMode::kCircular;
  std::mt19937_64 random(5);
  std::normal_distribution<float> normal;
  for (std::size_t i = 0; i < outputs * layer.fan_in(); ++i) {
    layer.weights.push_back(normal(random));
  }
  return layer;
}

// The convolution as a matrix, on images that wrap around, by its definition.
DenseLayer AsDense(const ConvolutionLayer& layer) {
  const SampleShape& in = layer.input;
  const std::size_t height = in.height / layer.vertical.stride;
  const std::size_t width = in.width / layer.horizontal.stride;
  std::vector<float> matrix(layer.output_channels * height * width * in.size(), 0.0F);
  std::size_t tap = 0;
  for (std::size_t o = 0; o < layer.output_channels; ++o) {
    for (std::size_t c = 0; c < in.channels; ++c) {
      for (std::size_t u = 0; u < layer.vertical.size; ++u) {
        for (std::size_t v = 0; v < layer.horizontal.size; ++v, ++tap) {
          for (std::size_t i = 0; i < height; ++i) {
            for (std::size_t j = 0; j < width; ++j) {
              const std::size_t y = (i * layer.vertical.stride + u) % in.height;
              const std::size_t x = (j * layer.horizontal.stride + v) % in.width;
              matrix[((o * height + i) * width + j) * in.size() + (c * in.height + y) * in.width +
                     x] += layer.weights[tap];
            }
          }
        }
      }
    }
  }
  return Dense(layer.output_channels * height * width, in.size(), std::move(matrix));
}

TEST(SingularValuesTest, AreKnownOnes) {
  EXPECT_THAT(
      SingularValues(Dense(2, 2, {3, 0, 4, 5})),
      ElementsAre(DoubleNear(std::sqrt(45.0), kTolerance), DoubleNear(std::sqrt(5.0), kTolerance)));
  EXPECT_THAT(SingularValues(Dense(1, 3, {1, 2, 2})), ElementsAre(DoubleNear(3.0, kTolerance)));
  EXPECT_THAT(SingularValues(Dense(3, 1, {1, 2, 2})), ElementsAre(DoubleNear(3.0, kTolerance)));
}

TEST(SingularValuesTest, OfAConvolutionAreThoseOfItsMatrix) {
  for (const std::size_t stride : {std::size_t{1}, std::size_t{2}}) {
    for (const std::size_t outputs : {std::size_t{2}, std::size_t{9}}) {
      const ConvolutionLayer layer = Convolution({2, 4, 6}, outputs, 3, stride);
      const std::vector<double> values = SingularValues(layer);
      std::vector<double> expected = SingularValues(AsDense(layer));
      ASSERT_FALSE(values.empty());
      // Where a matrix is wider at some frequencies than it is tall, or the whole one is, the
      // missing values are 0.
      expected.resize(std::max(expected.size(), values.size()), 0.0);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(i < values.size() ? values[i] : 0.0, expected[i], 1e-5) << i;
      }
    }
  }
}

TEST(SingularValuesTest, AreNotThereForLayersWithoutWeights) {
  EXPECT_THAT(SingularValues(FlattenLayer{}), IsEmpty());
  EXPECT_THAT(SingularValues(GroupSortLayer{2}), IsEmpty());
}

TEST(SingularValuesTest, AreLeftOutWhereTheyWouldTakeMinutes) {
  EXPECT_THAT(SingularValues(Dense(2049, 2049, std::vector<float>(2049 * 2049))), IsEmpty());
  EXPECT_THAT(SingularValues(Convolution({1, 5, 5}, 1, 3, 2)), IsEmpty());
}

}  // namespace
}  // namespace lipserve::trainer
