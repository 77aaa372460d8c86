// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/sll_dense.h"

#include <cmath>
#include <random>
#include <variant>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/certificate/layer_bounds.h"
#include "tests/trainer/image_check.h"

namespace lipserve::trainer {
namespace {

using Scaling = SllDense::Scaling;

constexpr std::size_t kInputs = 5;

// Parameters away from where training starts, so that no term of a gradient vanishes.
void Randomise(SllDense& layer, std::mt19937_64& random) {
  for (Parameter& parameter : layer.parameters()) {
    for (float& value : parameter.values) {
      value = (parameter.name == "log_q" ? 0.5F : 1.0F) * RandomNumbers(1, random)[0];
    }
  }
}

// The smallest |K K^T|_ij, i != j.
double SmallestProduct(const SllDense& layer, std::size_t units) {
  const std::vector<float>& kernel = layer.parameters()[0].values;
  double smallest = 1e9;
  for (std::size_t i = 0; i < units; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      double product = 0.0;
      for (std::size_t k = 0; k < kInputs; ++k) {
        product += static_cast<double>(kernel[i * kInputs + k] * kernel[j * kInputs + k]);
      }
      smallest = std::min(smallest, std::fabs(product));
    }
  }
  return smallest;
}

// Inputs at which no T x + b is near 0, where y has a kink.
std::vector<float> InputsAwayFromKinks(const SllDense& layer, std::size_t batch,
                                       std::mt19937_64& random) {
  const auto frozen = std::get<ConvexPotentialLayer>(layer.Freeze());
  const auto& inner = std::get<DenseLayer>(frozen.inner);
  std::vector<float> inputs;
  while (inputs.size() < batch * kInputs) {
    const std::vector<float> x = RandomNumbers(kInputs, random);
    const std::vector<double> wide(x.begin(), x.end());
    const auto hidden = LayerDefinition<double>{wide, {kInputs, 1, 1}}(inner);
    if (std::all_of(hidden.begin(), hidden.end(), [](double h) { return std::fabs(h) > 0.15; })) {
      inputs.insert(inputs.end(), x.begin(), x.end());
    }
  }
  return inputs;
}

struct Case {
  const char* name;
  Scaling scaling;
  std::size_t units;
  bool use_bias;
};

class SllDenseTest : public ::testing::TestWithParam<Case> {
 protected:
  std::mt19937_64 random_{11};
  SllDense layer_{kInputs, GetParam().units, GetParam().use_bias, GetParam().scaling, random_};
};

TEST_P(SllDenseTest, GradientsMatchDifferences) {
  do {
    Randomise(layer_, random_);
  } while (SmallestProduct(layer_, GetParam().units) < 0.1);
  // CPL's norm has to have converged: its gradient is that of a singular value.
  for (int step = 0; step < 300; ++step) layer_.PrepareStep(true);
  ExpectGradientsMatchDifferences(layer_, InputsAwayFromKinks(layer_, 4, random_), 4, random_);
}

TEST_P(SllDenseTest, NeverStretchesWhateverTheParameters) {
  for (int trial = 0; trial < 10; ++trial) {
    Randomise(layer_, random_);
    for (int step = 0; step < 100; ++step) layer_.PrepareStep(true);
    EXPECT_LE(LargestStretch(layer_, kInputs, random_), 1.0 + kStretchRounding);
  }
}

TEST_P(SllDenseTest, FreezesToWhatItComputesAndIsProvenOneLipschitz) {
  for (int trial = 0; trial < 5; ++trial) {
    Randomise(layer_, random_);
    for (int step = 0; step < 300; ++step) layer_.PrepareStep(true);
    ExpectFreezesToWhatItComputes(layer_, {kInputs, 1, 1}, 1e-4, random_);
    FrozenLayer frozen = layer_.Freeze();
    ASSERT_TRUE(ClaimOperatorNorm(frozen).ok());
    EXPECT_EQ(BoundsOf(frozen, {kInputs, 1, 1}).operator_norm.value(), 1.0);
  }
}

TEST_P(SllDenseTest, StartsAsAReflectionThatKeepsTheGradient) {
  FrozenLayer frozen = layer_.Freeze();
  ASSERT_TRUE(ClaimOperatorNorm(frozen).ok());
  const auto& inner = std::get<DenseLayer>(std::get<ConvexPotentialLayer>(frozen).inner);
  EXPECT_LE(inner.claimed_operator_norm_bound, std::sqrt(2.0));
  // More rows than inputs are no orthonormal ones, and Gershgorin's circles are not tight.
  if (GetParam().scaling == Scaling::kSll && GetParam().units > kInputs) return;
  EXPECT_NEAR(inner.claimed_operator_norm_bound, std::sqrt(2.0), 1e-5);
}

TEST_P(SllDenseTest, AKernelOfZerosIsTheIdentityAndHasNoNaN) {
  for (float& value : layer_.parameters()[0].values) value = 0.0F;
  const std::vector<float> x = RandomNumbers(kInputs, random_);
  std::vector<float> y(kInputs);
  std::vector<float> dx(kInputs);
  layer_.PrepareStep(true);
  layer_.Forward({x.data(), 1, kInputs}, {y.data(), 1, kInputs});
  EXPECT_EQ(y, x);
  layer_.Backward({x.data(), 1, kInputs}, {y.data(), 1, kInputs}, {x.data(), 1, kInputs},
                  {dx.data(), 1, kInputs});
  layer_.FinishStep();
  for (const Parameter& parameter : layer_.parameters()) {
    for (const float value : parameter.gradient) EXPECT_TRUE(std::isfinite(value));
  }
}

INSTANTIATE_TEST_SUITE_P(Layers, SllDenseTest,
                         ::testing::Values(Case{"Sll", Scaling::kSll, 5, true},
                                           Case{"SllNarrow", Scaling::kSll, 3, false},
                                           Case{"SllWide", Scaling::kSll, 8, true},
                                           Case{"Cpl", Scaling::kCpl, 5, true},
                                           Case{"CplWide", Scaling::kCpl, 7, false}),
                         [](const auto& instance) { return std::string(instance.param.name); });

// y = x - 2 K^T T^-1 max(K x + b, 0), spelled out.
TEST(SllDenseFormulaTest, IsTheFormulaOfThePaper) {
  std::mt19937_64 random(12);
  SllDense layer(2, 2, true, Scaling::kSll, random);
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

}  // namespace
}  // namespace lipserve::trainer
