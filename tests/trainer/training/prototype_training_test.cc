// SPDX-License-Identifier: Apache-2.0
// Prototypes from data to a certified model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "model/network/model_file.h"
#include "tests/trainer/tiny_training.h"
#include "trainer/evaluation/geometric_evaluation.h"
#include "trainer/recipes/recipe_file.h"
#include "trainer/run/training_run.h"

namespace lipserve::trainer {
namespace {

using ::testing::HasSubstr;

struct Experiment {
  const char* name;
  const char* body;  // the layers before the head
  const char* loss;
  bool center_inputs;
};

std::string RecipeText(const Experiment& experiment, int prototypes = 4) {
  return std::string(R"(name: "tiny3"
dataset { idx {} class_names: ["left", "right", "neither"] pixel_divisor: 255 }
layers { flatten {} }
)") + experiment.body +
         "layers { nearest_prototype { classes: 3 prototypes_per_class: " +
         std::to_string(prototypes) + " } }\nloss { prototype_margin { " + experiment.loss +
         R"( } }
optimizer { sgd { learning_rate: 0.1 momentum: 0.9 nesterov: true } }
batch_size: 32
epochs: 4
seed: 7
validation_epsilons: 0.25
)" + (experiment.center_inputs ? "center_inputs: true\n" : "");
}

class PrototypeTrainingTest : public ::testing::TestWithParam<Experiment>, protected TinyTraining {
 protected:
  PrototypeTrainingTest() : TinyTraining(RecipeText(GetParam())) { options_.attack_images = 20; }
};

TEST_P(PrototypeTrainingTest, LearnsThreeClassesAndCertifiesThem) {
  const auto [run, frozen] = RunToTheEnd();
  const Evaluation& evaluation = frozen.evaluation;
  EXPECT_EQ(evaluation.confusion.size(), 3U);
  EXPECT_GT(evaluation.accuracy, 0.9);
  EXPECT_GT(evaluation.certified[0].accuracy, 0.7);  // at 0.25
  EXPECT_EQ(evaluation.stages_disagreed, 0U);
  // What training printed of the last epoch is what is proven of the same images.
  const auto& metrics = run->loop().history().back().metrics();
  for (const v1::NamedValue& metric : metrics) {
    if (metric.name() == "val_certified_estimate@0.25") {
      EXPECT_NEAR(metric.value(), evaluation.certified[0].accuracy, 0.02);
    }
  }
  // No attack beats a proof (AttackSamples refuses), and some come near.
  ASSERT_TRUE(evaluation.empirical.has_value());
  EXPECT_GE(evaluation.empirical->accuracies[0].empirical,
            evaluation.empirical->accuracies[0].certified);
  const auto model = ReadModelFile(model_path());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->network.prototypes_per_class, 4U);
  EXPECT_EQ(NumScores(model->network), 3U);
  EXPECT_EQ(model->class_labels, (std::vector<std::string>{"left", "right", "neither"}));
}

TEST_P(PrototypeTrainingTest, TheGeometryProvesNoLessThanTheServedCertificate) {
  const auto [run, frozen] = RunToTheEnd();
  const auto model = CertifiedModel::Create(frozen.model, 8);
  ASSERT_TRUE(model.ok()) << model.status();
  const Samples& samples = run->dataset().evaluation();
  const auto geometric = EvaluateGeometry(**model, samples, frozen.evaluation, kDefaultEpsilons);
  if (std::string(GetParam().body) != "") {
    EXPECT_THAT(std::string(geometric.status().message()),
                HasSubstr("expected nothing but flatten before the last layer, got layer 1"));
    return;
  }
  ASSERT_TRUE(geometric.ok()) << geometric.status();
  for (std::size_t i = 0; i < frozen.evaluation.certified.size(); ++i) {
    const double served = frozen.evaluation.certified[i].accuracy;
    EXPECT_GE(geometric->any_input.certified[i].accuracy, served);
    EXPECT_GE(geometric->inputs_in_unit_box.certified[i].accuracy,
              geometric->any_input.certified[i].accuracy);
    EXPECT_LE(geometric->inputs_in_unit_box.certified[i].accuracy, frozen.evaluation.accuracy);
  }
  // Each rounds down in its own way.
  const double mean = geometric->any_input.mean_radius_l2;
  EXPECT_GE(mean, frozen.evaluation.mean_radius_l2 * (1.0 - 1e-9));
  EXPECT_GE(geometric->inputs_in_unit_box.mean_radius_l2, mean);
}

TEST_P(PrototypeTrainingTest, ResumingGivesTheBytesOfTheUninterruptedRun) {
  ExpectResumingGivesTheSameBytes({1});
}

INSTANTIATE_TEST_SUITE_P(
    Experiments, PrototypeTrainingTest,
    ::testing::Values(Experiment{"OfPixels", "", "margin: 0.6", false},
                      Experiment{"OfCentredPixels", "", "margin: 0.6", true},
                      Experiment{"InTheUnitBox", "", "margin: 0.6 inputs_in_unit_box: true", false},
                      Experiment{"OfFeatures",
                                 "layers { spectral_dense { units: 16 use_bias: true } }\n"
                                 "layers { group_sort { group_size: 2 } }\n",
                                 "margin: 0.6", false}),
    [](const auto& test) { return std::string(test.param.name); });

class PrototypeRecipeTest : public ::testing::Test {
 protected:
  PrototypeRecipeTest() { WriteTinyDataset(folder_.path("data")); }

  std::string ErrorOf(const std::string& text) const {
    const auto recipe = ParseRecipe(text, "tiny3");
    if (!recipe.ok()) return std::string(recipe.status().message());
    const auto run = TrainingRun::Start({.recipe = *recipe,
                                         .data_folder = folder_.path("data"),
                                         .out_folder = folder_.path("out")});
    return std::string(run.status().message());
  }

  // The good recipe with `from` replaced by `to`.
  std::string ErrorWith(const std::string& from, const std::string& to) const {
    std::string text = RecipeText({"", "", "margin: 0.6 inputs_in_unit_box: true", false});
    const std::size_t place = text.find(from);
    EXPECT_NE(place, std::string::npos);
    return ErrorOf(text.replace(place, from.size(), to));
  }

  const TemporaryFolder folder_;
};

TEST_F(PrototypeRecipeTest, ErrorsNameTheFieldAndWhatIsExpected) {
  EXPECT_EQ(ErrorWith("margin: 0.6", "margin: 0.5"), "");
  EXPECT_THAT(ErrorWith("classes: 3", "classes: 4"),
              HasSubstr("nearest_prototype.classes: expected 3, the classes of the data, got 4"));
  EXPECT_THAT(ErrorWith("classes: 3", "classes: 1"),
              HasSubstr("layers[1].nearest_prototype.classes: expected at least 2, got 1"));
  EXPECT_THAT(ErrorWith("prototypes_per_class: 4", "prototypes_per_class: 0"),
              HasSubstr("nearest_prototype.prototypes_per_class: expected 1 to"));
  EXPECT_THAT(ErrorWith("prototypes_per_class: 4", "prototypes_per_class: 301"),
              HasSubstr("layers[1].nearest_prototype.prototypes_per_class: expected at most 300, "
                        "the training samples of class left, got 301"));
  EXPECT_THAT(ErrorWith("prototypes_per_class: 4", "prototypes_per_class: 4 clustering_passes: -1"),
              HasSubstr("clustering_passes: expected at least 1, or 0 for 8, got -1"));
  EXPECT_THAT(ErrorWith("layers { nearest_prototype",
                        "layers { nearest_prototype { classes: 3 prototypes_per_class: 2 } }\n"
                        "layers { nearest_prototype"),
              HasSubstr("layers[1].nearest_prototype: expected it as the last layer only"));
}

TEST_F(PrototypeRecipeTest, TheUnitBoxNeedsPlainPixels) {
  EXPECT_THAT(ErrorWith("epochs: 4", "epochs: 4 center_inputs: true"),
              HasSubstr("inputs_in_unit_box: expected inputs that are not centred"));
  EXPECT_THAT(ErrorWith("pixel_divisor: 255", "pixel_divisor: 128"),
              HasSubstr("inputs_in_unit_box: expected dataset.pixel_divisor 255, got 128"));
  EXPECT_THAT(ErrorWith("layers { nearest_prototype",
                        "layers { spectral_dense { units: 8 } }\nlayers { nearest_prototype"),
              HasSubstr("expected nothing but flatten before nearest_prototype, got layers[1]"));
}

}  // namespace
}  // namespace lipserve::trainer
