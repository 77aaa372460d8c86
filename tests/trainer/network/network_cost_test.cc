// SPDX-License-Identifier: Apache-2.0
// What it takes to load the networks of our recipes.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "model/loading_cost.h"
#include "trainer/network/trainable_network.h"
#include "trainer/recipes/recipe_file.h"

namespace lipserve::trainer {
namespace {

// The default budget of a server has room for models three times as costly.
TEST(NetworkCostTest, EveryRecipeStaysFarBelowTheBudget) {
  int recipes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(RECIPE_FOLDER)) {
    if (entry.path().extension() != ".textproto") continue;
    const auto recipe = ReadRecipeFile(entry.path().string());
    ASSERT_TRUE(recipe.ok()) << recipe.status();
    const bool is_cifar = recipe->name().starts_with("cifar");
    const SampleShape shape = is_cifar ? SampleShape{3, 32, 32} : SampleShape{1, 28, 28};
    const auto network = TrainableNetwork::Create(*recipe, shape, 1);
    ASSERT_TRUE(network.ok()) << entry.path() << ": " << network.status();
    (*network)->PrepareStep(false);
    const LoadingCost cost = CostOfLoading((*network)->Freeze(), 64);
    EXPECT_LT(3.0 * cost.operations, LoadingBudget().operations) << recipe->name();
    EXPECT_LT(3.0 * cost.bytes, LoadingBudget().bytes) << recipe->name();
    ++recipes;
  }
  EXPECT_GE(recipes, 10);
}

}  // namespace
}  // namespace lipserve::trainer
