// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/image_check.h"
#include "trainer/layers/pooling.h"

namespace lipserve::trainer {
namespace {

struct Window {
  SampleShape image;
  std::size_t height;
  std::size_t width;
};
constexpr Window kWindows[] = {
    {{3, 4, 6}, 2, 2}, {{2, 4, 6}, 2, 3}, {{3, 4, 4}, 4, 4}, {{1, 6, 3}, 3, 1}, {{2, 2, 2}, 1, 1}};

TEST(PoolingLayerTest, GradientsMatchDifferences) {
  std::mt19937_64 random(61);
  for (const Window& window : kWindows) {
    SCOPED_TRACE(testing::Message() << window.height << " x " << window.width);
    const std::vector<float> x = RandomNumbers(2 * window.image.size(), random);
    ScaledAveragePool average(window.image, window.height, window.width);
    ExpectGradientsMatchDifferences(average, x, 2, random);
    // Away from 0, where the norm of a window of one number has a corner.
    std::vector<float> far = x;
    for (float& value : far) value += std::copysign(0.5F, value);
    ScaledL2NormPool norm(window.image, window.height, window.width);
    ExpectGradientsMatchDifferences(norm, far, 2, random);
  }
}

TEST(PoolingLayerTest, NeverStretch) {
  std::mt19937_64 random(62);
  for (const Window& window : kWindows) {
    ScaledAveragePool average(window.image, window.height, window.width);
    ScaledL2NormPool norm(window.image, window.height, window.width);
    EXPECT_LE(LargestStretch(average, window.image.size(), random), 1.0 + kStretchRounding);
    EXPECT_LE(LargestStretch(norm, window.image.size(), random), 1.0 + kStretchRounding);
  }
}

TEST(PoolingLayerTest, FreezeToWhatTheyCompute) {
  std::mt19937_64 random(63);
  for (const Window& window : kWindows) {
    ScaledAveragePool average(window.image, window.height, window.width);
    ExpectFreezesToWhatItComputes(average, window.image, 1e-6, random);
    ScaledL2NormPool norm(window.image, window.height, window.width);
    ExpectFreezesToWhatItComputes(norm, window.image, 1e-6, random);
  }
}

TEST(PoolingLayerTest, AveragesAreDeelLipsMeansTimesTheRootOfTheWindow) {
  ScaledAveragePool pool({1, 2, 4}, 2, 2);
  const std::vector<float> x = {1, 2, 10, 20, 3, 4, 30, 40};
  std::vector<float> y(2);
  pool.Forward({x.data(), 1, 8}, {y.data(), 1, 2});
  EXPECT_EQ(y, (std::vector<float>{5, 50}));  // 2.5 and 25, times sqrt(2 * 2)
}

TEST(PoolingLayerTest, TheScaleOfAveragesMakesNoNormAboveOne) {
  for (std::size_t n = 1; n <= 64; ++n) {
    ScaledAveragePool pool({1, 1, n}, 1, n);
    const double scale = static_cast<double>(std::get<AveragePoolLayer>(pool.Freeze()).scale);
    EXPECT_LE(scale * scale * static_cast<double>(n), 1.0) << n;
    EXPECT_GE(scale * std::sqrt(static_cast<double>(n)), 1.0 - 0x1p-23) << n;
  }
}

TEST(PoolingLayerTest, TheNormOfAWindowOfZerosHasTheGradientZero) {
  ScaledL2NormPool pool({1, 1, 4}, 1, 2);
  const std::vector<float> x = {0, 0, 1e-30F, -1e-30F};  // squares of the others underflow
  const std::vector<float> dy = {7, 2};
  std::vector<float> y(2);
  std::vector<float> dx(4);
  pool.Forward({x.data(), 1, 4}, {y.data(), 1, 2});
  pool.Backward({x.data(), 1, 4}, {y.data(), 1, 2}, {dy.data(), 1, 2}, {dx.data(), 1, 4});
  EXPECT_EQ(dx[0], 0.0F);
  EXPECT_EQ(dx[1], 0.0F);
  EXPECT_NEAR(static_cast<double>(dx[2]), std::sqrt(2.0), 1e-6);
  EXPECT_EQ(dx[3], -dx[2]);
}

TEST(PoolingLayerTest, AWindowThatIsTheImageIsCalledGlobal) {
  EXPECT_EQ(ScaledAveragePool({2, 4, 6}, 4, 6).type(), "ScaledGlobalAveragePooling2D");
  EXPECT_EQ(ScaledAveragePool({2, 4, 6}, 2, 2).type(), "ScaledAveragePooling2D");
  EXPECT_EQ(ScaledL2NormPool({2, 4, 6}, 4, 6).type(), "ScaledGlobalL2NormPooling2D");
  EXPECT_EQ(ScaledL2NormPool({2, 4, 6}, 4, 3).type(), "ScaledL2NormPooling2D");
}

}  // namespace
}  // namespace lipserve::trainer
