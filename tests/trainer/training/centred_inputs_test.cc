// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/centred_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "model/network/pixel_scaling.h"
#include "tests/trainer/silent_observer.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/data/mean_image.h"
#include "trainer/data/minibatch_stream.h"
#include "trainer/data/shuffle.h"
#include "trainer/recipes/recipe_file.h"
#include "trainer/run/freeze.h"
#include "trainer/training/training_loop.h"

namespace lipserve::trainer {
namespace {

using ::testing::HasSubstr;

// Orthogonal layers, a free head, centred inputs.
std::string RecipeText(const std::string& first_layers) {
  return R"(name: "centred"
dataset { idx {} class_names: ["left", "right", "neither"] pixel_divisor: 255 }
layers { flatten {} }
)" + first_layers +
         R"(
layers { group_sort { group_size: 2 } }
layers { dense { units: 3 use_bias: true } }
loss { offset_cross_entropy { offset: 1 temperature: 0.25 margins: MARGIN_KIND_CERTIFIED } }
optimizer { adam { learning_rate: 0.01 } }
batch_size: 32
epochs: 3
seed: 7
center_inputs: true
)";
}

constexpr char kRetracted[] =
    "layers { spectral_dense { units: 16 use_bias: true method: ORTHOGONAL_METHOD_RETRACTION } }";

Samples ThreePixels() {
  Samples samples;
  samples.shape = {1, 1, 3};
  samples.class_names = {"a", "b"};
  samples.pixels = {0, 10, 255, 51, 30, 255};
  samples.labels = {0, 1};
  return samples;
}

TEST(MeanImageTest, IsTheMeanOfScaledPixels) {
  EXPECT_THAT(MeanImage(ThreePixels(), PixelScaling(255.0)),
              ::testing::ElementsAre(::testing::FloatEq(0.1F), ::testing::FloatEq(20.0F / 255.0F),
                                     ::testing::FloatEq(1.0F)));
}

TEST(MeanImageTest, TheStreamSubtractsItFromEverySample) {
  const Samples samples = ThreePixels();
  MinibatchStream stream(samples, PixelScaling(255.0), 2, {0.1F, 0.0F, 1.0F});
  stream.Begin(FileOrder(2));
  const Minibatch* batch = stream.Next();
  ASSERT_NE(batch, nullptr);
  EXPECT_FLOAT_EQ(batch->inputs().row(0)[0], -0.1F);
  EXPECT_FLOAT_EQ(batch->inputs().row(1)[0], 0.1F);
  EXPECT_FLOAT_EQ(batch->inputs().row(1)[2], 0.0F);
}

TEST(CentredInputsTest, MovesTheMeanIntoTheFirstBiasOnly) {
  FrozenNetwork network;
  network.input_shape = {2, 1, 1};
  DenseLayer dense;
  dense.inputs = 2;
  dense.outputs = 2;
  dense.weights = {1.0F, 2.0F, 3.0F, 4.0F};
  network.layers.emplace_back(dense);
  dense.bias = {7.0F, 8.0F};
  network.layers.emplace_back(dense);
  const std::vector<float> mean = {0.5F, 0.25F};
  MoveMeanIntoBias(mean, network);
  EXPECT_THAT(std::get<DenseLayer>(network.layers[0]).bias, ::testing::ElementsAre(-1.0F, -2.5F));
  EXPECT_THAT(std::get<DenseLayer>(network.layers[1]).bias, ::testing::ElementsAre(7.0F, 8.0F));
}

TEST(CentredInputsTest, TheFrozenModelDecidesOnImagesAsTheTrainedOneOnCentredImages) {
  const TemporaryFolder folder;
  WriteTinyDataset(folder.path());
  const v1::Recipe recipe = *ParseRecipe(RecipeText(kRetracted), "centred");
  const auto dataset = LoadDataset(recipe.dataset(), folder.path());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const auto loop = TrainingLoop::Create(recipe, *dataset);
  ASSERT_TRUE(loop.ok()) << loop.status();
  SilentObserver observer;
  while (!(*loop)->finished()) ASSERT_TRUE((*loop)->RunEpoch(observer).ok());

  const auto frozen = Freeze(**loop);
  ASSERT_TRUE(frozen.ok()) << frozen.status();
  const auto& first = std::get<DenseLayer>(frozen->model.network.layers[1]);
  EXPECT_EQ(first.bias.size(), 16U);
  double validated = 0.0;
  for (const v1::NamedValue& metric : (*loop)->result_record().metrics()) {
    if (metric.name() == "val_accuracy") validated = metric.value();
  }
  // Means over minibatches weigh the last, smaller one as a whole one: 22 of 150 samples count up
  // to 32, so that one of them decides up to 0.009.
  EXPECT_GT(frozen->evaluation.accuracy, 0.8);
  EXPECT_NEAR(frozen->evaluation.accuracy, validated, 0.02);
  // Only the head is free, and certificates divide its norm out: the body is orthogonal.
  EXPECT_NEAR(first.claimed_operator_norm_bound, 1.0, 1e-5);
}

TEST(CentredInputsTest, RefusesAFirstLayerThatHasNoPlaceForAMean) {
  const TemporaryFolder folder;
  WriteTinyDataset(folder.path());
  const v1::Recipe recipe = *ParseRecipe(RecipeText("layers { full_sort {} }"), "centred");
  const auto dataset = LoadDataset(recipe.dataset(), folder.path());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const auto loop = TrainingLoop::Create(recipe, *dataset);
  ASSERT_FALSE(loop.ok());
  EXPECT_THAT(std::string(loop.status().message()),
              HasSubstr("recipe: center_inputs: expected a dense layer first"));
}

}  // namespace
}  // namespace lipserve::trainer
