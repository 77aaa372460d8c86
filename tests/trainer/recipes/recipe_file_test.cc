// SPDX-License-Identifier: Apache-2.0
#include "trainer/recipes/recipe_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "tests/trainer/tiny_experiment.h"

namespace lipserve::trainer {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// The tiny recipe with the first `from` replaced by `to`.
std::string With(const std::string& from, const std::string& to) {
  std::string text = TinyRecipeText();
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string ErrorOf(const std::string& text) {
  const auto recipe = ParseRecipe(text, "tiny.textproto");
  EXPECT_FALSE(recipe.ok());
  EXPECT_EQ(recipe.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(recipe.status().message());
}

TEST(RecipeFileTest, ReadsTheRecipesInTheTree) {
  for (const char* name : {"mnist08", "mnist08_page", "mnist08_torchlip"}) {
    const auto recipe = ReadRecipeFile(std::string(RECIPE_FOLDER "/") + name + ".textproto");
    ASSERT_TRUE(recipe.ok()) << recipe.status();
    EXPECT_EQ(recipe->name(), name);
    EXPECT_EQ(recipe->batch_size(), 128);
    EXPECT_EQ(recipe->epochs(), 10);
    EXPECT_EQ(recipe->layers_size(), 6);
  }
}

TEST(RecipeFileTest, TheDemoDiffersFromItsPageOnlyInNameAndInitialScale) {
  const auto demo = ReadRecipeFile(RECIPE_FOLDER "/mnist08.textproto");
  v1::Recipe page = *ReadRecipeFile(RECIPE_FOLDER "/mnist08_page.textproto");
  page.set_name(demo->name());
  for (v1::LayerSpec& layer : *page.mutable_layers()) {
    if (layer.has_spectral_dense()) layer.mutable_spectral_dense()->set_initial_scale(0.03);
  }
  EXPECT_EQ(DescribeDifferences(*demo, page), "");
}

TEST(RecipeFileTest, ThePageAndTorchlipDifferOnlyInNameAndConventions) {
  const auto page = ReadRecipeFile(RECIPE_FOLDER "/mnist08_page.textproto");
  const auto torchlip = ReadRecipeFile(RECIPE_FOLDER "/mnist08_torchlip.textproto");
  EXPECT_EQ(page->loss().hkr().margin_convention(), v1::MARGIN_CONVENTION_FULL);
  EXPECT_EQ(torchlip->loss().hkr().margin_convention(), v1::MARGIN_CONVENTION_HALF);
  EXPECT_EQ(torchlip->loss().hkr().alpha(), 10.0 / 11.0);
  v1::Recipe same = *torchlip;
  same.set_name(page->name());
  *same.mutable_loss() = page->loss();
  EXPECT_EQ(DescribeDifferences(*page, same), "");
}

TEST(RecipeFileTest, PlacesASyntaxErrorByLineAndColumn) {
  EXPECT_THAT(ErrorOf(With("epochs: 3", "epochs: three")),
              StartsWith("tiny.textproto:15:9: Expected integer, got: three"));
}

TEST(RecipeFileTest, RefusesAnUnknownFieldAndSuggestsTheNearestName) {
  EXPECT_THAT(ErrorOf(With("batch_size", "batchsize")),
              AllOf(StartsWith("tiny.textproto:14:"), HasSubstr("no field named \"batchsize\""),
                    HasSubstr("Did you mean \"batch_size\"?")));
}

TEST(RecipeFileTest, SuggestsNamesOfTheMessageTheFieldIsIn) {
  EXPECT_THAT(ErrorOf(With("learning_rate", "learn_rate")),
              HasSubstr("Did you mean \"learning_rate\"?"));
}

TEST(RecipeFileTest, ListsTheFieldsIfNoneIsNear) {
  EXPECT_THAT(ErrorOf(With("use_bias", "qqq")),
              HasSubstr("Its fields are: units, use_bias, power_"));
}

TEST(RecipeFileTest, RefusesAnUnknownEnumValue) {
  EXPECT_THAT(ErrorOf(With("MARGIN_CONVENTION_FULL", "MARGIN_CONVENTION_DOUBLE")),
              HasSubstr("MARGIN_CONVENTION_DOUBLE"));
}

TEST(RecipeFileTest, RefusesTwoKindsInOneLayer) {
  EXPECT_THAT(ErrorOf(With("flatten {}", "flatten {} full_sort {}")), HasSubstr("oneof"));
}

TEST(RecipeFileTest, NamesAMissingFile) {
  const auto recipe = ReadRecipeFile("/nowhere/recipe.textproto");
  EXPECT_EQ(recipe.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(recipe.status().message()),
              HasSubstr("/nowhere/recipe.textproto: cannot read: No such file"));
}

TEST(RecipeFileTest, RefusesAFolderAndAnEmptyFile) {
  const TemporaryFolder folder;
  EXPECT_FALSE(ReadRecipeFile(folder.path()).ok());
  WriteBytes(folder.path("empty"), "");
  EXPECT_THAT(std::string(ReadRecipeFile(folder.path("empty")).status().message()),
              HasSubstr("it is empty"));
}

struct Refusal {
  std::string from;
  std::string to;
  std::string field;
};

TEST(RecipeFileTest, RefusesWrongValuesNamingTheField) {
  const std::vector<Refusal> refusals = {
      {"name: \"tiny\"", "name: \"\"", "name: expected"},
      {"name: \"tiny\"", "name: \"a/b\"", "name: expected 1 to 64 letters"},
      {"idx {}", "", "dataset: expected a format"},
      {"classes: [3, 5]", "classes: [3]", "dataset.classes: expected at least two"},
      {"classes: [3, 5]", "classes: [3, 3]",
       "dataset.classes: expected each label once, got 3 twice"},
      {"classes: [3, 5]", "classes: [3, 256]", "dataset.classes: expected labels from 0 to 255"},
      {"classes: [3, 5]", "classes: [-1, 5]", "dataset.classes: expected labels from 0 to 255"},
      {"[\"left\", \"right\"]", "\"left\"", "dataset.class_names: expected one name for each"},
      {"[\"left\", \"right\"]", "[\"a\", \"a\"]", "dataset.class_names: expected each name once"},
      {"[\"left\", \"right\"]", "[\"a\", \"\"]", "dataset.class_names: expected names"},
      {"pixel_divisor: 255", "pixel_divisor: 0", "dataset.pixel_divisor: expected a positive"},
      {"pixel_divisor: 255", "pixel_divisor: nan", "dataset.pixel_divisor: expected a positive"},
      {"pixel_divisor: 255", "pixel_divisor: -255", "dataset.pixel_divisor: expected a positive"},
      {"layers { flatten {} }", "layers {}", "layers[0]: expected a layer"},
      {"adam { learning_rate: 0.01 }", "", "optimizer: expected one"},
      {"batch_size: 32", "batch_size: 0", "batch_size: expected 1 to 65536, got 0"},
      {"epochs: 3", "epochs: -1", "epochs: expected 1 to 1000000, got -1"},
      {"epochs: 3", "", "epochs: expected"},
  };
  for (const Refusal& refusal : refusals) {
    EXPECT_THAT(ErrorOf(With(refusal.from, refusal.to)),
                AllOf(StartsWith("tiny.textproto:"), HasSubstr(": recipe: " + refusal.field)));
  }
}

TEST(RecipeFileTest, NamesTheLineOfAWrongValueOrOfTheMessageThatLacksIt) {
  const std::vector<Refusal> refusals = {
      {"name: \"tiny\"", "name: \"\"", "1:1: recipe: name"},
      {"idx {}", "", "2:1: recipe: dataset: expected a format"},
      {"classes: [3, 5]", "classes: [3]", "2:18: recipe: dataset.classes"},
      {"layers { flatten {} }", "layers {}", "3:1: recipe: layers[0]"},
      {"group_sort { group_size: 2 }", "", "5:1: recipe: layers[2]"},
      {"adam { learning_rate: 0.01 }", "", "13:1: recipe: optimizer"},
      {"epochs: 3", "epochs: -1", "15:1: recipe: epochs"},
      // Absent, and in no message but the recipe itself.
      {"epochs: 3", "", " recipe: epochs"},
  };
  for (const Refusal& refusal : refusals) {
    EXPECT_THAT(ErrorOf(With(refusal.from, refusal.to)),
                StartsWith("tiny.textproto:" + refusal.field));
  }
}

TEST(RecipeLocationsTest, PlaceWhatIsFoundLaterAtItsFieldOrAtTheMessageThatLacksIt) {
  RecipeLocations locations;
  ASSERT_TRUE(ParseRecipe(TinyRecipeText(), "tiny.textproto", &locations).ok());
  const auto located = [&locations](const std::string& message) {
    const absl::Status status = locations.Locate(absl::InvalidArgumentError(message));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  for (const auto& [message, place] : std::vector<std::pair<std::string, std::string>>{
           {"layers[1].spectral_dense.units: expected", "4:27: "},
           {"layers[1].spectral_dense.bjorck_beta: expected", "4:10: "},  // not written
           {"layers[3].frobenius_dense: expected", "6:10: "},
           {"layers[2]: expected", "5:1: "},
           {"loss.hkr.alpha: expected", "9:5: "},
           {"recipe: optimizer.adam.learning_rate: expected", "13:20: "},
           {"loss: expected a network with 1 score, got 3: more", "7:1: "},
       }) {
    EXPECT_EQ(located(message), "tiny.textproto:" + place + message);
  }
  for (const std::string message :
       {"layers[7]: of no layer", "augmentation.flip: not written", "output folder: a path",
        "data/mnist: no such file", "nothing at all", "layers[x: y", ""}) {
    EXPECT_EQ(located(message), message);
  }
  EXPECT_TRUE(locations.Locate(absl::OkStatus()).ok());
  EXPECT_EQ(RecipeLocations().Locate(absl::InternalError("loss: x")).message(), "loss: x");
}

TEST(RecipeFileTest, RefusesARecipeWithoutLayersOrLoss) {
  EXPECT_THAT(ErrorOf("name: \"x\" dataset { idx {} pixel_divisor: 255 }"),
              HasSubstr("layers: expected at least one"));
  EXPECT_THAT(ErrorOf("name: \"x\" dataset { idx {} pixel_divisor: 255 } layers { flatten {} }"),
              HasSubstr("loss: expected one of hkr, kr, hinge_margin"));
}

TEST(RecipeFileTest, DescribesWhatDiffersBetweenTwoRecipes) {
  const auto from = ParseRecipe(TinyRecipeText(), "a");
  const auto to = ParseRecipe(With("seed: 7", "seed: 8"), "b");
  EXPECT_EQ(DescribeDifferences(*from, *from), "");
  EXPECT_EQ(DescribeDifferences(*from, *to), "modified: seed: 7 -> 8\n");
}

}  // namespace
}  // namespace lipserve::trainer
