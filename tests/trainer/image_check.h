// SPDX-License-Identifier: Apache-2.0
// What tests of layers on images share: shapes of convolutions, and the frozen layer's definition
// (tests/model/layer_definition.h) beside what the trainable one computes.
#ifndef TESTS_TRAINER_IMAGE_CHECK_H_
#define TESTS_TRAINER_IMAGE_CHECK_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <ostream>
#include <random>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "model/certificate/convolution_norm.h"
#include "model/execution/image_layout.h"
#include "tests/model/layer_definition.h"
#include "tests/trainer/gradient_check.h"
#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// A convolution without weights on `input`, with the same axis both ways.
inline ConvolutionLayer Geometry(SampleShape input, std::size_t outputs, WindowAxis axis,
                                 PaddingMode mode = PaddingMode::kZero, std::size_t groups = 1) {
  return {.input = input,
          .output_channels = outputs,
          .groups = groups,
          .vertical = axis,
          .horizontal = axis,
          .padding_mode = mode};
}

inline constexpr WindowAxis kSame3{.size = 3, .padding_before = 1, .padding_after = 1};

// Every padding, stride, dilation, groups, wide and tall kernels, axes that differ.
inline std::vector<ConvolutionLayer> Geometries() {
  std::vector<ConvolutionLayer> all = {
      Geometry({2, 5, 4}, 3, kSame3),
      Geometry({1, 4, 4}, 12, kSame3),  // tall
      Geometry({2, 4, 4}, 8, {.size = 2, .stride = 2}),
      Geometry({2, 5, 5}, 3, {.size = 3, .stride = 2, .padding_before = 1, .padding_after = 1}),
      Geometry({2, 6, 6}, 2, {.size = 2, .dilation = 3, .padding_before = 1, .padding_after = 2}),
      Geometry({4, 4, 4}, 6, kSame3, PaddingMode::kZero, 2),
      Geometry({2, 5, 4}, 3, kSame3, PaddingMode::kReflect),
      Geometry({2, 4, 5}, 3, kSame3, PaddingMode::kReplicate),
      Geometry({2, 4, 4}, 3, kSame3, PaddingMode::kCircular),
      Geometry({4, 4, 4}, 4, {.size = 3, .stride = 2, .padding_before = 0, .padding_after = 1},
               PaddingMode::kCircular, 4),
  };
  ConvolutionLayer uneven = Geometry({2, 5, 6}, 3, kSame3);
  uneven.horizontal = {.size = 2, .stride = 2, .padding_before = 1, .padding_after = 1};
  all.push_back(uneven);
  return all;
}

inline std::string DescribeGeometry(const ConvolutionLayer& layer) {
  return DescribeLayer(layer) + ", padding mode " +
         std::to_string(static_cast<int>(layer.padding_mode));
}

// The proven norm of a frozen convolution may exceed 1 by so much: its weights are rounded to
// float32.
inline constexpr double kFreezeRounding = 1e-6;

inline double ProvenNorm(const FrozenLayer& frozen) {
  const auto bound = BoundConvolutionNorm(std::get<ConvolutionLayer>(frozen));
  EXPECT_TRUE(bound.ok()) << bound.status();
  return bound.value_or(0.0);
}

// Expects the frozen `layer` to mean what its Forward computes: on random images, the definition in
// float64 differs by less than `tolerance`.
inline void ExpectFreezesToWhatItComputes(Layer& layer, const SampleShape& input, double tolerance,
                                          std::mt19937_64& random) {
  const SampleShape output = layer.output_shape();
  const std::vector<float> image = RandomNumbers(input.size(), random);
  std::vector<double> expected(image.begin(), image.end());
  SampleShape shape = input;
  for (const FrozenLayer& frozen : layer.FreezeToChain()) {
    expected = std::visit(LayerDefinition<double>{expected, shape}, frozen);
    shape = OutputShape(frozen, shape);
  }
  ASSERT_EQ(shape, output);
  std::vector<float> channels_last(image.size());
  ToChannelsLast(image.data(), input, 1, channels_last.data());
  std::vector<float> computed(output.size());
  layer.PrepareStep(false);
  layer.Forward({channels_last.data(), 1, image.size()}, {computed.data(), 1, output.size()});
  std::vector<float> y(output.size());
  ToRowMajor(computed.data(), output, 1, y.data());
  for (std::size_t i = 0; i < y.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(y[i]), expected[i], tolerance) << i;
  }
}

}  // namespace lipserve::trainer

#endif  // TESTS_TRAINER_IMAGE_CHECK_H_
