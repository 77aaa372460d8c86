// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/invertible_up_sampling.h"

#include <algorithm>
#include <cstddef>
#include <random>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "model/certificate/convolution_norm.h"
#include "tests/trainer/image_check.h"
#include "trainer/layers/invertible_down_sampling.h"

namespace lipserve::trainer {
namespace {

TEST(InvertibleUpSamplingTest, OrdersPositionsAsPixelShuffleDoes) {
  InvertibleUpSampling layer({8, 1, 1}, {.window_height = 2, .window_width = 2});
  EXPECT_EQ(layer.output_shape(), (SampleShape{2, 2, 2}));
  const std::vector<float> x = {1, 2, 3, 4, 10, 20, 30, 40};
  std::vector<float> y(8);
  layer.Forward({x.data(), 1, 8}, {y.data(), 1, 8});
  EXPECT_EQ(y, (std::vector<float>{1, 10, 2, 20, 3, 30, 4, 40}));  // two channels, side by side
}

TEST(InvertibleUpSamplingTest, UndoesDownSampling) {
  std::mt19937_64 random(93);
  InvertibleDownSampling down({2, 4, 6}, 2, 3);
  InvertibleUpSampling up(down.output_shape(), {.window_height = 2, .window_width = 3});
  const std::vector<float> x = RandomNumbers(96, random);
  std::vector<float> small(96);
  std::vector<float> y(96);
  down.Forward({x.data(), 2, 48}, {small.data(), 2, 48});
  up.Forward({small.data(), 2, 48}, {y.data(), 2, 48});
  EXPECT_EQ(y, x);
}

TEST(InvertibleUpSamplingTest, GradientMatchesDifferencesAndNothingStretches) {
  std::mt19937_64 random(94);
  InvertibleUpSampling layer({12, 2, 3}, {.window_height = 3, .window_width = 2});
  ExpectGradientsMatchDifferences(layer, RandomNumbers(144, random), 2, random);
  EXPECT_LE(LargestStretch(layer, 72, random), 1.0 + 1e-12);
}

TEST(InvertibleUpSamplingTest, FreezesToWhatItComputes) {
  std::mt19937_64 random(95);
  const SampleShape image{12, 2, 3};
  InvertibleUpSampling layer(image, {.window_height = 2, .window_width = 3});
  ExpectFreezesToWhatItComputes(layer, image, 0.0, random);
}

// A transposed convolution as torch defines it, the same both ways: x[c, i, j] K[c, o, u, v] is
// added to y[o, i s + u - p, j s + v - p], where that is a position of y.
struct TransposedCase {
  SampleShape input;
  std::size_t outputs;
  std::size_t size;
  std::size_t stride;
  std::size_t padding;
  std::vector<float> kernel = {};  // K, [input.channels, outputs, size, size]

  // Output paddings that make the stride divide the output.
  SampleShape output() const { return {outputs, input.height * stride, input.width * stride}; }

  std::vector<double> Of(const std::vector<double>& x) const {
    std::vector<double> y(output().size(), 0.0);
    ForEach([&](std::size_t from, std::size_t weight, std::size_t to) {
      y[to] += static_cast<double>(kernel[weight]) * x[from];
    });
    return y;
  }

  template <typename Visit>
  void ForEach(Visit visit) const {
    for (std::size_t w = 0; w < input.channels * outputs * size * size; ++w) {
      const std::size_t c = w / (outputs * size * size);
      const std::size_t o = w / (size * size) % outputs;
      for (std::size_t i = 0; i < input.height; ++i) {
        for (std::size_t j = 0; j < input.width; ++j) {
          // Negative ones wrap round to far outside.
          const std::size_t row = i * stride + w / size % size - padding;
          const std::size_t column = j * stride + w % size - padding;
          if (row >= output().height || column >= output().width) continue;
          visit(ImageIndex(input, c, i, j), w, ImageIndex(output(), o, row, column));
        }
      }
    }
  }

  // The convolution that computes the phases of y as channels: at the offset d of x, the phase f of
  // y reads the tap f + padding - stride d.
  ConvolutionLayer OfPhases() const {
    const auto taps = static_cast<std::ptrdiff_t>(size);
    const auto s = static_cast<std::ptrdiff_t>(stride);
    const auto p = static_cast<std::ptrdiff_t>(padding);
    const std::ptrdiff_t last = (s - 1 + p) / s;
    const std::ptrdiff_t before = (taps - 1 - p) / s;
    const WindowAxis axis{.size = static_cast<std::size_t>(before + last + 1),
                          .padding_before = static_cast<std::size_t>(before),
                          .padding_after = static_cast<std::size_t>(last)};
    ConvolutionLayer layer = Geometry(input, outputs * stride * stride, axis);
    layer.weights.assign(layer.output_channels * layer.fan_in(), 0.0F);
    std::size_t k = 0;
    for (std::size_t out = 0; out < layer.output_channels; ++out) {
      for (std::size_t c = 0; c < input.channels; ++c) {
        for (std::size_t u = 0; u < axis.size; ++u) {
          for (std::size_t v = 0; v < axis.size; ++v, ++k) {
            const auto tap = [&](std::size_t phase, std::size_t place) {
              const std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(place) - before;
              return static_cast<std::ptrdiff_t>(phase) + p - s * offset;
            };
            const std::ptrdiff_t y = tap(out / stride % stride, u);
            const std::ptrdiff_t x = tap(out % stride, v);
            if (y < 0 || y >= taps || x < 0 || x >= taps) continue;
            const std::size_t channel = c * outputs + out / (stride * stride);
            layer.weights[k] = kernel[channel * size * size + static_cast<std::size_t>(y) * size +
                                      static_cast<std::size_t>(x)];
          }
        }
      }
    }
    return layer;
  }

  // The strided convolution that this transposes.
  ConvolutionLayer Strided() const {
    const WindowAxis axis{.size = size,
                          .stride = stride,
                          .padding_before = padding,
                          .padding_after = size > stride + padding ? size - stride - padding : 0};
    ConvolutionLayer layer = Geometry(output(), input.channels, axis);
    layer.weights = kernel;
    return layer;
  }
};

TEST(InvertibleUpSamplingTest, AfterAConvolutionItIsATransposedOneOfTheSameNorm) {
  std::mt19937_64 random(96);
  for (TransposedCase transposed :
       {TransposedCase{{3, 4, 5}, 2, 2, 2, 0}, TransposedCase{{2, 4, 4}, 3, 4, 2, 1},
        TransposedCase{{2, 5, 3}, 2, 3, 2, 1}, TransposedCase{{2, 3, 3}, 2, 3, 3, 0},
        TransposedCase{{3, 4, 4}, 2, 3, 1, 1}}) {
    SCOPED_TRACE(testing::Message() << transposed.size << " taps, stride " << transposed.stride);
    transposed.kernel = RandomNumbers(
        transposed.input.channels * transposed.outputs * transposed.size * transposed.size, random);
    const std::vector<float> image = RandomNumbers(transposed.input.size(), random);
    const std::vector<double> x(image.begin(), image.end());

    const ConvolutionLayer phases = transposed.OfPhases();
    ASSERT_EQ(phases.output().height, transposed.input.height);
    const std::vector<double> channels = LayerDefinition<double>{x, transposed.input}(phases);
    const UpSamplingLayer up{transposed.stride, transposed.stride};
    const std::vector<double> y = LayerDefinition<double>{channels, phases.output()}(up);
    const std::vector<double> expected = transposed.Of(x);
    ASSERT_EQ(y.size(), expected.size());
    for (std::size_t k = 0; k < y.size(); ++k) EXPECT_NEAR(y[k], expected[k], 1e-12);

    const auto norm = BoundConvolutionNorm(phases);
    const auto norm_of_transposed = BoundConvolutionNorm(transposed.Strided());
    ASSERT_TRUE(norm.ok() && norm_of_transposed.ok());
    EXPECT_NEAR(*norm, *norm_of_transposed, 1e-6 * *norm);
  }
}

}  // namespace
}  // namespace lipserve::trainer
