// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "model/certificate/layer_bounds.h"
#include "tests/trainer/image_check.h"
#include "trainer/layers/convex_potential.h"

namespace lipserve::trainer {
namespace {

using Scaling = ConvexPotential::Scaling;

DenseLayer DenseOf(std::size_t units) {
  DenseLayer dense;
  dense.inputs = 5;
  dense.outputs = units;
  return dense;
}

struct PotentialCase {
  const char* name;
  Scaling scaling;
  ConvexPotential::Inner inner;
  bool use_bias;
};

std::vector<PotentialCase> PotentialCases() {
  const ConvolutionLayer plain = Geometry({2, 4, 3}, 3, kSame3);
  const ConvolutionLayer circular = Geometry({3, 3, 4}, 2, kSame3, PaddingMode::kCircular);
  const ConvolutionLayer even =
      Geometry({2, 4, 4}, 2, {.size = 2, .dilation = 2, .padding_before = 1, .padding_after = 1});
  const ConvolutionLayer grouped = Geometry({4, 3, 3}, 6, kSame3, PaddingMode::kZero, 2);
  return {{"Sll", Scaling::kSll, DenseOf(5), true},
          {"SllNarrow", Scaling::kSll, DenseOf(3), false},
          {"SllWide", Scaling::kSll, DenseOf(8), true},
          {"Cpl", Scaling::kCpl, DenseOf(5), true},
          {"CplWide", Scaling::kCpl, DenseOf(7), false},
          {"SllConvolution", Scaling::kSll, plain, true},
          {"SllOnATorus", Scaling::kSll, circular, true},
          {"SllEvenWindow", Scaling::kSll, even, true},
          {"SllGroups", Scaling::kSll, grouped, true},
          {"CplConvolution", Scaling::kCpl, plain, true},
          {"CplOnATorus", Scaling::kCpl, circular, true},
          {"CplGroups", Scaling::kCpl, grouped, true}};
}

class ConvexPotentialLayerTest : public ::testing::TestWithParam<PotentialCase> {
 protected:
  // Parameters away from where training starts, so that no term of a gradient vanishes.
  void Randomise() {
    for (Parameter& parameter : layer_.parameters()) {
      for (float& value : parameter.values) {
        value = (parameter.name == "log_q" ? 0.5F : 1.0F) * RandomNumbers(1, random_)[0];
      }
    }
  }

  // CPL's norm has to converge: its gradient is that of a singular value.
  void Converge() {
    for (int step = 0; step < 300; ++step) layer_.PrepareStep(true);
  }

  // SLL's bound has a corner where a correlation of two rows is 0. With numbers of one sign in each
  // row none comes near it, and correlations of both signs are among them.
  void MoveAwayFromCorners() {
    std::vector<float>& kernel = layer_.parameters()[0].values;
    const std::size_t rows = kernel.size() / Cols();
    for (std::size_t i = 0; i < kernel.size(); ++i) {
      const float sign = i / Cols() % 2 == 0 ? 1.0F : -1.0F;
      kernel[i] = sign * (0.3F + std::abs(kernel[i]));
    }
    if (layer_.parameters().back().name != "bias") return;
    for (std::size_t i = 0; i < rows; ++i) {
      float& bias = layer_.parameters().back().values[i];
      bias = std::copysign(2.0F, bias);
    }
  }

  std::size_t Cols() const {
    const auto* const convolution = std::get_if<ConvolutionLayer>(&GetParam().inner);
    return convolution == nullptr ? 5 : convolution->fan_in();
  }

  // Samples at which no T x + b is near 0, where y has a kink.
  std::vector<float> InputsAwayFromKinks(std::size_t batch) {
    const auto frozen = std::get<ConvexPotentialLayer>(layer_.Freeze());
    const auto hidden = [&](const std::vector<float>& x) {
      const std::vector<double> wide(x.begin(), x.end());
      return std::visit(
          [&](const auto& inner) {
            return LayerDefinition<double>{wide, shape_}(inner);
          },
          frozen.inner);
    };
    std::vector<float> inputs;
    std::vector<float> channels_last(shape_.size());
    while (inputs.size() < batch * shape_.size()) {
      const std::vector<float> x = RandomNumbers(shape_.size(), random_);
      const std::vector<double> h = hidden(x);
      if (std::any_of(h.begin(), h.end(), [](double v) { return std::fabs(v) < 0.1; })) continue;
      ToChannelsLast(x.data(), shape_, 1, channels_last.data());
      inputs.insert(inputs.end(), channels_last.begin(), channels_last.end());
    }
    return inputs;
  }

  std::mt19937_64 random_{11};
  ConvexPotential layer_{GetParam().inner, GetParam().use_bias, GetParam().scaling, random_};
  SampleShape shape_ = layer_.output_shape();
};

TEST_P(ConvexPotentialLayerTest, GradientsMatchDifferences) {
  Randomise();
  MoveAwayFromCorners();
  Converge();
  ExpectGradientsMatchDifferences(layer_, InputsAwayFromKinks(2), 2, random_);
}

TEST_P(ConvexPotentialLayerTest, NeverStretchesWhateverTheParameters) {
  for (int trial = 0; trial < 10; ++trial) {
    Randomise();
    Converge();
    EXPECT_LE(LargestStretch(layer_, shape_.size(), random_), 1.0 + kStretchRounding);
  }
}

TEST_P(ConvexPotentialLayerTest, FreezesToWhatItComputesAndIsProvenOneLipschitz) {
  for (int trial = 0; trial < 5; ++trial) {
    Randomise();
    Converge();
    ExpectFreezesToWhatItComputes(layer_, shape_, 1e-4, random_);
    FrozenLayer frozen = layer_.Freeze();
    ASSERT_TRUE(ClaimOperatorNorm(frozen).ok());
    EXPECT_EQ(BoundsOf(frozen, shape_).operator_norm.value(), 1.0);
  }
}

TEST_P(ConvexPotentialLayerTest, StartsWithAStepThatTheProofAllows) {
  Converge();
  FrozenLayer frozen = layer_.Freeze();
  ASSERT_TRUE(ClaimOperatorNorm(frozen).ok());
  const double norm =
      std::visit([](const auto& inner) { return inner.claimed_operator_norm_bound; },
                 std::get<ConvexPotentialLayer>(frozen).inner);
  EXPECT_LE(norm, std::sqrt(2.0));
  // CPL takes the whole step. Gershgorin's circles are tight for orthonormal rows alone, which more
  // rows than inputs, or windows that overlap, are not.
  const auto* const dense = std::get_if<DenseLayer>(&GetParam().inner);
  const bool is_tight =
      GetParam().scaling == Scaling::kCpl || (dense != nullptr && dense->outputs <= dense->inputs);
  EXPECT_NEAR(norm, std::sqrt(2.0), is_tight ? 1e-5 : 1.2);
}

TEST_P(ConvexPotentialLayerTest, AKernelOfZerosIsTheIdentityAndHasNoNaN) {
  std::fill(layer_.parameters()[0].values.begin(), layer_.parameters()[0].values.end(), 0.0F);
  const std::size_t size = shape_.size();
  const std::vector<float> x = RandomNumbers(size, random_);
  std::vector<float> y(size);
  std::vector<float> dx(size);
  layer_.PrepareStep(true);
  layer_.Forward({x.data(), 1, size}, {y.data(), 1, size});
  EXPECT_EQ(y, x);
  layer_.Backward({x.data(), 1, size}, {y.data(), 1, size}, {x.data(), 1, size},
                  {dx.data(), 1, size});
  layer_.FinishStep();
  for (const Parameter& parameter : layer_.parameters()) {
    for (const float value : parameter.gradient) EXPECT_TRUE(std::isfinite(value));
  }
}

INSTANTIATE_TEST_SUITE_P(Layers, ConvexPotentialLayerTest, ::testing::ValuesIn(PotentialCases()),
                         [](const auto& instance) { return std::string(instance.param.name); });

// y = x - 2 K^T T^-1 max(K x + b, 0), spelled out.
TEST(ConvexPotentialFormulaTest, IsTheFormulaOfThePaper) {
  std::mt19937_64 random(12);
  DenseLayer inner;
  inner.inputs = 2;
  inner.outputs = 2;
  ConvexPotential layer(inner, true, Scaling::kSll, random);
  layer.parameters()[0].values = {1.0F, 2.0F, 0.5F, -1.0F};
  layer.parameters()[1].values = {0.0F, std::log(2.0F)};
  layer.parameters()[2].values = {0.5F, 3.0F};
  // K K^T = [5, -1.5; -1.5, 1.25], q = (1, 2): t = (5 + 3, 1.25 + 0.75) = (8, 2).
  // At x = (1, 1): K x + b = (3.5, 2.5), over t (0.4375, 1.25), K^T of that (1.0625, -0.375).
  const std::vector<float> x = {1.0F, 1.0F};
  std::vector<float> y(2);
  layer.PrepareStep(true);
  layer.Forward({x.data(), 1, 2}, {y.data(), 1, 2});
  EXPECT_NEAR(y[0], 1.0 - 2.0 * 1.0625, 1e-6);
  EXPECT_NEAR(y[1], 1.0 + 2.0 * 0.375, 1e-6);
}

// The same of an image of two pixels and a window of two taps that wraps around.
TEST(ConvexPotentialFormulaTest, IsTheFormulaOfThePaperOnImages) {
  std::mt19937_64 random(13);
  ConvolutionLayer inner = Geometry({1, 1, 2}, 1, {}, PaddingMode::kCircular);
  inner.horizontal = {.size = 2, .padding_after = 1};
  ConvexPotential layer(inner, false, Scaling::kSll, random);
  layer.parameters()[0].values = {1.0F, 2.0F};
  // C(-1, 0, 1) = (2, 5, 2): t = 9. T = [1, 2; 2, 1]; at x = (1, -0.5): T x = (0, 1.5),
  // T^T (0, 1.5) = (3, 1.5).
  const std::vector<float> x = {1.0F, -0.5F};
  std::vector<float> y(2);
  layer.PrepareStep(true);
  layer.Forward({x.data(), 1, 2}, {y.data(), 1, 2});
  EXPECT_NEAR(y[0], 1.0 - 2.0 * 3.0 / 9.0, 1e-6);
  EXPECT_NEAR(y[1], -0.5 - 2.0 * 1.5 / 9.0, 1e-6);
}

}  // namespace
}  // namespace lipserve::trainer
