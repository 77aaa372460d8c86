// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/spectral_convolution.h"

#include <cmath>
#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "model/certificate/convolution_norm.h"
#include "tests/trainer/image_check.h"

namespace lipserve::trainer {
namespace {

// Converges below float32's resolution, so that the weights depend on sigma no more.
constexpr BjorckMapOptions kConverged{3, {30, 0.5F, 1e-5F}};

// A kernel off the orthogonal ones, and a bias, as training leaves them.
void DisturbLayer(Layer& layer, double noise, std::mt19937_64& random) {
  std::vector<float>& kernel = layer.parameters()[0].values;
  const std::vector<float> numbers = RandomNumbers(kernel.size(), random, noise);
  for (std::size_t i = 0; i < kernel.size(); ++i) kernel[i] += numbers[i];
  std::vector<float>& bias = layer.parameters()[1].values;
  bias = RandomNumbers(bias.size(), random);
}

TEST(SpectralConvolutionTest, GradientMatchesDifferencesForEveryGeometry) {
  std::mt19937_64 random(51);
  for (const ConvolutionLayer& geometry : Geometries()) {
    SCOPED_TRACE(DescribeGeometry(geometry));
    SpectralConvolution layer(geometry, true, kConverged, random);
    DisturbLayer(layer, 0.1, random);
    const std::vector<float> x = RandomNumbers(2 * geometry.input.size(), random);
    ExpectGradientsMatchDifferences(layer, x, 2, random);
  }
}

// In training W is K, so that the gradient is one of a linear map.
TEST(OrthogonalConvolutionTest, GradientMatchesDifferencesOfTheMapThatTrains) {
  std::mt19937_64 random(52);
  for (const ConvolutionLayer& geometry : Geometries()) {
    if (geometry.groups != 1) continue;
    SCOPED_TRACE(DescribeGeometry(geometry));
    OrthogonalConvolution layer(geometry, true, random);
    const std::vector<float> x = RandomNumbers(geometry.input.size(), random);
    const std::vector<float> c = RandomNumbers(layer.output_shape().size(), random);
    std::vector<float> y(c.size());
    const ConstMatrixView x_view{x.data(), 1, x.size()};
    const auto loss = [&] {
      layer.PrepareStep(true);
      layer.Forward(x_view, {y.data(), 1, y.size()});
      double sum = 0.0;
      for (std::size_t i = 0; i < y.size(); ++i) {
        sum += static_cast<double>(c[i]) * static_cast<double>(y[i]);
      }
      return sum;
    };
    loss();
    layer.Backward(x_view, {y.data(), 1, y.size()}, {c.data(), 1, c.size()},
                   {nullptr, 1, x.size()});
    layer.FinishStep();
    Parameter& kernel = layer.parameters()[0];
    EXPECT_EQ(kernel.orthogonal_rows, geometry.output_channels);
    for (std::size_t i = 0; i < kernel.values.size(); ++i) {
      const float value = kernel.values[i];
      kernel.values[i] = value + 0.5F;
      const double above = loss();
      kernel.values[i] = value - 0.5F;
      const double below = loss();
      kernel.values[i] = value;
      // L is linear in the kernel: only rounding is left, of sums of some hundred products.
      EXPECT_NEAR(static_cast<double>(kernel.gradient[i]), above - below, 1e-4);
    }
  }
}

TEST(SpectralConvolutionTest, NeverStretchesWhateverTheGeometry) {
  std::mt19937_64 random(53);
  for (const ConvolutionLayer& geometry : Geometries()) {
    SCOPED_TRACE(DescribeGeometry(geometry));
    SpectralConvolution layer(geometry, true, {}, random);
    DisturbLayer(layer, 0.1, random);
    EXPECT_LE(LargestStretch(layer, geometry.input.size(), random), 1.0 + kStretchRounding);
  }
}

TEST(SpectralConvolutionTest, FrozenNormIsProvenAtMostOneForEveryGeometry) {
  std::mt19937_64 random(54);
  for (const ConvolutionLayer& geometry : Geometries()) {
    SCOPED_TRACE(DescribeGeometry(geometry));
    SpectralConvolution layer(geometry, true, {}, random);
    DisturbLayer(layer, 0.1, random);
    const double norm = ProvenNorm(layer.Freeze());
    EXPECT_LE(norm, 1.0 + kFreezeRounding);
    EXPECT_GE(norm, 0.5);
    if (geometry.groups != 1) continue;
    OrthogonalConvolution orthogonal(geometry, true, random);
    EXPECT_LE(ProvenNorm(orthogonal.Freeze()), 1.0 + kFreezeRounding);
  }
}

TEST(SpectralConvolutionTest, FreezesToWhatItComputes) {
  std::mt19937_64 random(55);
  for (const ConvolutionLayer& geometry : Geometries()) {
    SCOPED_TRACE(DescribeGeometry(geometry));
    SpectralConvolution layer(geometry, true, kConverged, random);
    DisturbLayer(layer, 0.1, random);
    ExpectFreezesToWhatItComputes(layer, geometry.input, 1e-5, random);
    if (geometry.groups != 1) continue;
    OrthogonalConvolution orthogonal(geometry, true, random);
    DisturbLayer(orthogonal, 0.02, random);
    ExpectFreezesToWhatItComputes(orthogonal, geometry.input, 1e-5, random);
  }
}

TEST(SpectralConvolutionTest, IsOrthogonalWhereWindowsTileTheImage) {
  std::mt19937_64 random(56);
  const ConvolutionLayer tiles = Geometry({2, 6, 6}, 8, {.size = 2, .stride = 2});
  SpectralConvolution layer(tiles, false, {}, random);
  layer.PrepareStep(true);
  const std::vector<float> x = RandomNumbers(tiles.input.size(), random);
  std::vector<float> y(layer.output_shape().size());
  layer.Forward({x.data(), 1, x.size()}, {y.data(), 1, y.size()});
  EXPECT_NEAR(FrobeniusNorm(ToFloat64(y, 1, y.size())), FrobeniusNorm(ToFloat64(x, 1, x.size())),
              1e-5);
}

TEST(SpectralConvolutionTest, EvaluationChangesNoState) {
  std::mt19937_64 random(57);
  const ConvolutionLayer grouped = Geometry({4, 4, 4}, 6, {.size = 2}, PaddingMode::kZero, 2);
  SpectralConvolution layer(grouped, true, {}, random);
  DisturbLayer(layer, 0.1, random);
  const std::vector<float> state = layer.states()[0].values;
  layer.PrepareStep(false);
  EXPECT_EQ(state, layer.states()[0].values);
  const std::vector<float> evaluated = layer.effective_weights();
  layer.PrepareStep(true);
  EXPECT_EQ(evaluated, layer.effective_weights());
  EXPECT_NE(state, layer.states()[0].values);
}

TEST(SpectralConvolutionTest, AKernelOfZerosGivesZerosAndAFiniteGradient) {
  std::mt19937_64 random(58);
  SpectralConvolution layer(Geometry({1, 4, 4}, 2, {.size = 3}), false, {}, random);
  for (float& value : layer.parameters()[0].values) value = 0.0F;
  const std::vector<float> x = RandomNumbers(16, random);
  std::vector<float> y(8);
  layer.PrepareStep(true);
  layer.Forward({x.data(), 1, 16}, {y.data(), 1, 8});
  EXPECT_EQ(y, std::vector<float>(8, 0.0F));
  layer.Backward({x.data(), 1, 16}, {y.data(), 1, 8}, {x.data(), 1, 8}, {nullptr, 1, 16});
  layer.FinishStep();
  for (const float value : layer.parameters()[0].gradient) EXPECT_TRUE(std::isfinite(value));
}

// By how much a layer stretches the image that is 1 at `position` of every channel and 0 elsewhere.
double StretchOfOnePosition(const ConvolutionLayer& layer, std::size_t row, std::size_t column) {
  std::vector<double> x(layer.input.size(), 0.0);
  for (std::size_t c = 0; c < layer.input.channels; ++c) {
    x[ImageIndex(layer.input, c, row, column)] = 1.0;
  }
  const std::vector<double> y = LayerDefinition<double>{x, layer.input}(layer);
  double sum = 0.0;
  for (const double value : y) sum += value * value;
  return std::sqrt(sum / static_cast<double>(layer.input.channels));
}

// deel-lip divides by the root of the mean number of reads, deel-torchlip by the root of
// ceil(k / stride)^2 whatever the padding; positions that are read more often are stretched.
struct PeerFactor {
  const char* peer;
  ConvolutionLayer geometry;
  double factor;
  std::size_t row, column;  // of a position that is read most
  double stretch;           // published in no paper; exact, from the reads
};

// deel-lip's compute_lconv_coef for stride 1, with h x w images and k x k windows.
double DeelLipFactor(double h, double w, double k) {
  const double half = (k - 1.0) / 2.0;
  return std::sqrt(w * h / ((k * h - half * (half + 1.0)) * (k * w - half * (half + 1.0))));
}

TEST(SpectralConvolutionTest, PeersFactorsStretchWhereOursHolds) {
  constexpr WindowAxis kSame5{.size = 5, .padding_before = 2, .padding_after = 2};
  const std::vector<PeerFactor> peers = {
      {"deel-lip", Geometry({1, 7, 7}, 16, kSame3), DeelLipFactor(7, 7, 3), 3, 3, 1.105},
      {"deel-lip", Geometry({1, 28, 28}, 16, kSame3), DeelLipFactor(28, 28, 3), 14, 14, 1.024},
      {"deel-lip", Geometry({1, 7, 7}, 25, kSame5), DeelLipFactor(7, 7, 5), 3, 3, 1.207},
      {"deel-torchlip", Geometry({1, 12, 12}, 32, kSame3, PaddingMode::kReflect), 1.0 / 3.0, 1, 1,
       1.333},
      {"deel-torchlip", Geometry({1, 12, 12}, 32, kSame5, PaddingMode::kReplicate), 1.0 / 5.0, 0, 0,
       1.200},
  };
  std::mt19937_64 random(59);
  for (const PeerFactor& peer : peers) {
    SCOPED_TRACE(std::string(peer.peer) + ": " + DescribeGeometry(peer.geometry));
    SpectralConvolution layer(peer.geometry, false, {}, random);
    ConvolutionLayer ours = std::get<ConvolutionLayer>(layer.Freeze());
    EXPECT_LE(ProvenNorm(ours), 1.0 + kFreezeRounding);
    EXPECT_NEAR(StretchOfOnePosition(ours, peer.row, peer.column), 1.0, kFreezeRounding);
    // The same orthonormal kernel under the peer's factor: its columns have norm 1.
    double column_norm = 0.0;
    for (std::size_t o = 0; o < ours.output_channels; ++o) {
      column_norm = std::hypot(column_norm, static_cast<double>(ours.weights[o * ours.fan_in()]));
    }
    ConvolutionLayer theirs = ours;
    for (float& weight : theirs.weights) {
      weight = static_cast<float>(static_cast<double>(weight) * peer.factor / column_norm);
    }
    EXPECT_NEAR(StretchOfOnePosition(theirs, peer.row, peer.column), peer.stretch, 6e-4);
  }
}

}  // namespace
}  // namespace lipserve::trainer
