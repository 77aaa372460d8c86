// SPDX-License-Identifier: Apache-2.0
#include "model/execution/image_padding.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "model/execution/image_layout.h"
#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

template <typename Number>
void ExpectPadded(const ConvolutionLayer& layer, const std::vector<Number>& x) {
  const ImagePadding padding(layer);
  const SampleShape shape = padding.padded_shape();
  ASSERT_EQ(shape, layer.padded_input());
  std::vector<Number> y(shape.size(), Number{-1});
  padding.Copy(x.data(), y.data());
  const auto source = [&](const WindowAxis& axis, std::size_t length, std::size_t p) {
    return PaddedSource(
        layer.padding_mode, static_cast<std::ptrdiff_t>(length),
        static_cast<std::ptrdiff_t>(p) - static_cast<std::ptrdiff_t>(axis.padding_before));
  };
  std::size_t k = 0;
  for (std::size_t i = 0; i < shape.height; ++i) {
    for (std::size_t j = 0; j < shape.width; ++j) {
      const auto row = source(layer.vertical, layer.input.height, i);
      const auto column = source(layer.horizontal, layer.input.width, j);
      for (std::size_t c = 0; c < shape.channels; ++c, ++k) {
        if (row < 0 || column < 0) {
          ASSERT_EQ(y[k], Number{0});
          continue;
        }
        const auto pixel =
            static_cast<std::size_t>(row) * layer.input.width + static_cast<std::size_t>(column);
        ASSERT_EQ(y[k], x[pixel * shape.channels + c]) << i << ", " << j << ", " << c;
      }
    }
  }
}

TEST(ImagePaddingTest, WritesOutEveryPositionInEveryMode) {
  std::mt19937_64 random(1);
  for (const PaddingMode mode : {PaddingMode::kZero, PaddingMode::kReflect, PaddingMode::kReplicate,
                                 PaddingMode::kCircular}) {
    for (int trial = 0; trial < 100; ++trial) {
      ConvolutionLayer layer{.input = {1 + random() % 3, 1 + random() % 6, 1 + random() % 6},
                             .output_channels = 1,
                             .padding_mode = mode};
      for (WindowAxis* axis : {&layer.vertical, &layer.horizontal}) {
        axis->padding_before = random() % 5;
        axis->padding_after = random() % 5;
      }
      if (!IsValidPadding(layer.vertical, mode, layer.input.height) ||
          !IsValidPadding(layer.horizontal, mode, layer.input.width)) {
        continue;
      }
      const auto x = RandomFloats(random, layer.input.size(), 1.0);
      ExpectPadded(layer, x);
      ExpectPadded(layer, std::vector<double>(x.begin(), x.end()));
    }
  }
}

TEST(ImagePaddingTest, KnowsWhenThereIsNone) {
  ConvolutionLayer layer{.input = {2, 3, 3}, .output_channels = 1};
  EXPECT_TRUE(ImagePadding(layer).is_empty());
  layer.horizontal.padding_after = 1;
  EXPECT_FALSE(ImagePadding(layer).is_empty());
}

TEST(ImageLayoutTest, PutsTheChannelsOfAPositionTogetherAndBack) {
  const SampleShape shape{2, 2, 3};
  std::vector<float> x(2 * shape.size());
  for (std::size_t k = 0; k < x.size(); ++k) x[k] = static_cast<float>(k);
  std::vector<double> last(x.size());
  ToChannelsLast(x.data(), shape, 2, last.data());
  const std::vector<double> expected = {0,  6,  1,  7,  2,  8,  3,  9,  4,  10, 5,  11,
                                        12, 18, 13, 19, 14, 20, 15, 21, 16, 22, 17, 23};
  EXPECT_EQ(last, expected);
  std::vector<double> back(x.size());
  ToRowMajor(last.data(), shape, 2, back.data());
  EXPECT_EQ(back, std::vector<double>(x.begin(), x.end()));
}

}  // namespace
}  // namespace lipserve
