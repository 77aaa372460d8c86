// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/sll_scale.h"

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/image_check.h"

namespace lipserve::trainer {
namespace {

constexpr WindowAxis kSame3{.size = 3, .padding_before = 1, .padding_after = 1};

// T as a matrix [outputs, inputs] of channels-first images, from what it makes of unit images.
std::vector<std::vector<double>> MatrixOf(const ConvolutionLayer& layer) {
  const std::size_t inputs = layer.input.size();
  std::vector<std::vector<double>> rows(layer.output().size(), std::vector<double>(inputs));
  for (std::size_t k = 0; k < inputs; ++k) {
    std::vector<double> unit(inputs);
    unit[k] = 1.0;
    const std::vector<double> column = LayerDefinition<double>{unit, layer.input}(layer);
    for (std::size_t o = 0; o < column.size(); ++o) rows[o][k] = column[o];
  }
  return rows;
}

// For each output of T: its absolute row sum of T T^T, scaled by q.
std::vector<double> RowSums(const ConvolutionLayer& layer, const std::vector<float>& log_q) {
  const auto t = MatrixOf(layer);
  const std::size_t area = layer.output().height * layer.output().width;
  std::vector<double> sums;
  for (std::size_t i = 0; i < t.size(); ++i) {
    double sum = 0.0;
    for (std::size_t j = 0; j < t.size(); ++j) {
      double product = 0.0;
      for (std::size_t k = 0; k < t[i].size(); ++k) product += t[i][k] * t[j][k];
      sum += std::fabs(product) *
             std::exp(static_cast<double>(log_q[j / area]) - static_cast<double>(log_q[i / area]));
    }
    sums.push_back(sum);
  }
  return sums;
}

struct Scaled {
  ConvolutionLayer layer;
  std::vector<float> log_q;
  std::vector<float> t;
};

Scaled RandomScaled(ConvolutionLayer layer, std::mt19937_64& random) {
  layer.weights = RandomNumbers(layer.output_channels * layer.fan_in(), random);
  std::vector<float> log_q = RandomNumbers(layer.output_channels, random, 0.5);
  std::vector<float> t(layer.output_channels);
  SllScale scale(layer.output_channels, layer.input.channels, layer.vertical, layer.horizontal);
  scale.Forward({layer.weights.data(), layer.output_channels, layer.fan_in()}, log_q, t);
  const std::vector<double> frozen =
      scale.Freeze({layer.weights.data(), layer.output_channels, layer.fan_in()}, log_q);
  for (std::size_t i = 0; i < t.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(t[i]), frozen[i], 1e-5 * frozen[i]);
  }
  return {std::move(layer), std::move(log_q), std::move(t)};
}

TEST(SllScaleTest, IsTheRowSumOfTheGramMatrixWhereTheTorusIsLargeEnough) {
  std::mt19937_64 random(21);
  // Displacements of -2 to 2 are five positions of a circle of six.
  const Scaled scaled =
      RandomScaled(Geometry({2, 6, 6}, 3, kSame3, PaddingMode::kCircular), random);
  const std::vector<double> sums = RowSums(scaled.layer, scaled.log_q);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(scaled.t[i / 36]), sums[i], 1e-5 * sums[i]) << i;
  }
}

TEST(SllScaleTest, BoundsTheNormWhateverThePaddingAndTheImage) {
  std::mt19937_64 random(22);
  const std::vector<ConvolutionLayer> geometries = {
      Geometry({2, 4, 3}, 3, kSame3),
      Geometry({3, 3, 3}, 2, kSame3, PaddingMode::kCircular),
      Geometry({1, 2, 2}, 2, kSame3, PaddingMode::kCircular),
      Geometry({2, 5, 5}, 4, {.size = 3, .dilation = 2, .padding_before = 2, .padding_after = 2}),
  };
  for (const ConvolutionLayer& geometry : geometries) {
    SCOPED_TRACE(DescribeGeometry(geometry));
    for (int trial = 0; trial < 20; ++trial) {
      const Scaled scaled = RandomScaled(geometry, random);
      const std::size_t area = geometry.input.height * geometry.input.width;
      std::vector<float> matrix;
      const auto rows = MatrixOf(scaled.layer);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        for (const double value : rows[i]) {
          matrix.push_back(static_cast<float>(value) / std::sqrt(scaled.t[i / area]));
        }
      }
      EXPECT_LE(SingularValues(ConstMatrixView{matrix.data(), rows.size(), rows[0].size()}).front(),
                1.0 + 1e-6);
    }
  }
}

}  // namespace
}  // namespace lipserve::trainer
