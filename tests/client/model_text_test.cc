// SPDX-License-Identifier: Apache-2.0
#include "client/model_text.h"

#include <cmath>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/sample_report.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::DescribeModelResponse TrainedModel() {
  v1::DescribeModelResponse model = SampleModel();
  model.set_lipschitz_bound(std::nextafter(1.0, 2.0));
  v1::LayerDescription& layer = *model.add_layers();
  layer.set_description("dense 16 -> 1");
  layer.set_lipschitz_bound(1.0);
  v1::TrainingRecord& training = *model.mutable_training();
  training.set_trainer_version("0.1.0");
  training.mutable_recipe()->add_layers()->mutable_flatten();
  training.mutable_recipe()->add_layers()->mutable_group_sort()->set_group_size(2);
  training.mutable_recipe()->set_seed(42);
  v1::NamedValue& result = *training.add_results();
  result.set_name("val_accuracy");
  result.set_value(0.98890);
  return model;
}

TEST(ModelTextTest, PrintsBoundsRoundedUp) {
  const std::string text = ModelText(TrainedModel(), {});
  EXPECT_THAT(text, HasSubstr("dense 16 -> 1        1.0000000000\n"));
  EXPECT_THAT(text, HasSubstr("each score           1.0000000001\n"));
}

TEST(ModelTextTest, PrintsIdentityShapeRecipeAndResults) {
  const std::string text = ModelText(TrainedModel(), {});
  for (const char* part :
       {"mnist08 version 3\n", "abababab", "1x4x4", "zero, eight", "at most 2 images",
        "trained by lipserve-train 0.1.0", "classes [0, 8]", "layers   flatten\n",
        "           group_sort(group_size 2)\n", "seed     42", "val_accuracy  0.9889"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(ModelTextTest, ShowsSeedZeroAndDoesNotRoundAClaimedBoundDown) {
  v1::DescribeModelResponse model = TrainedModel();
  model.mutable_training()->mutable_recipe()->set_seed(0);
  model.mutable_training()->mutable_results(0)->set_name("lipschitz_bound");
  model.mutable_training()->mutable_results(0)->set_value(1.00000001377);
  const std::string text = ModelText(model, {});
  EXPECT_THAT(text, HasSubstr("seed     0\n"));
  EXPECT_THAT(text, HasSubstr("lipschitz_bound  1.0000000138\n"));
}

TEST(ModelTextTest, AFileThatSaysNothingOfTrainingHasNoSuchSections) {
  v1::DescribeModelResponse model = TrainedModel();
  model.clear_training();
  EXPECT_THAT(ModelText(model, {}), Not(HasSubstr("recipe")));
  EXPECT_THAT(ModelText(model, {}), Not(HasSubstr("results")));
}

TEST(ModelListTextTest, ListsNamesVersionsAndDigests) {
  v1::ListModelsResponse models;
  EXPECT_EQ(ModelListText(models, {}), "no model is served\n");
  *models.add_models() = SampleModel().model();
  EXPECT_THAT(ModelListText(models, {}), HasSubstr("mnist08        3  abababab"));
}

}  // namespace
}  // namespace lipserve
