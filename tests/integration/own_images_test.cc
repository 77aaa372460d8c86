// SPDX-License-Identifier: Apache-2.0
// What a user does with her own images: a folder of them, a recipe, training, the report, serving,
// classifying. At each step she mistypes something first, and the error says where and what to do.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/child_process.h"
#include "tests/integration/demo_service.h"
#include "tests/proto/write_jpeg.h"
#include "tests/proto/write_png.h"
#include "tests/trainer/tiny_experiment.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr unsigned kSide = 8;

// A reddish or greenish picture with noise.
std::vector<std::uint8_t> Fruit(bool ripe, std::mt19937_64& random) {
  std::vector<std::uint8_t> pixels;
  const auto light = [&random](unsigned base) {
    return static_cast<std::uint8_t>(base + random() % 60);
  };
  for (unsigned p = 0; p < kSide * kSide; ++p) {
    pixels.insert(pixels.end(), {light(ripe ? 160 : 60), light(ripe ? 60 : 160), light(40)});
  }
  return pixels;
}

std::string FruitRecipeText() {
  return std::string(R"(name: "fruit"
dataset {
  image_folder {}
  class_names: ["ripe", "unripe"]
  pixel_divisor: 255
  split { validation: 0.2 test: 0.2 seed: 1 }
}
)") + trainer::kTinyNetworkText +
         R"(batch_size: 16
epochs: 5
)";
}

class OwnImagesTest : public ::testing::Test {
 protected:
  OwnImagesTest() {
    std::mt19937_64 random(1);
    for (const char* name : {"ripe", "unripe"}) {
      std::filesystem::create_directories(folder_.path("fruit/") + name);
    }
    for (int i = 0; i < 40; ++i) {
      const std::string number = std::to_string(i);
      WriteRgbPng(folder_.path("fruit/ripe/" + number + ".png"), kSide, kSide, Fruit(true, random));
      WriteJpeg(folder_.path("fruit/unripe/" + number + ".jpg"),
                {.width = kSide, .height = kSide, .channels = 3, .color_space = JCS_RGB},
                Fruit(false, random));
    }
    WriteBytes(recipe_, FruitRecipeText());
  }

  FinishedProgram Train(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> command = {ProgramsFolder() + "/lipserve-train",
                                        "train",
                                        "--recipe",
                                        recipe_,
                                        "--data",
                                        folder_.path("fruit"),
                                        "--out",
                                        folder_.path("models/fruit/1")};
    command.insert(command.end(), more.begin(), more.end());
    return RunProgram(command);
  }

  // Trains with `from` in the recipe replaced by `to`, and returns what is said of it.
  std::string ErrorOfRecipe(const std::string& from, const std::string& to) const {
    std::string text = FruitRecipeText();
    text.replace(text.find(from), from.size(), to);
    WriteBytes(recipe_, text);
    const FinishedProgram program = Train();
    WriteBytes(recipe_, FruitRecipeText());
    EXPECT_EQ(program.exit_code, 1) << program.output;
    return program.error;
  }

  const TemporaryFolder folder_;
  const std::string recipe_ = folder_.path("fruit.textproto");
};

TEST_F(OwnImagesTest, TyposInTheRecipeNameTheLineAndTheFix) {
  EXPECT_THAT(ErrorOfRecipe("image_folder", "image_foldr"),
              AllOf(HasSubstr("fruit.textproto:3:"), HasSubstr("image_folder")));
  EXPECT_THAT(ErrorOfRecipe("spectral_dense", "spectral_dens"),
              AllOf(HasSubstr("fruit.textproto:9:"), HasSubstr("spectral_dense")));
  EXPECT_THAT(ErrorOfRecipe("\"unripe\"", "\"unrip\""),
              AllOf(HasSubstr("dataset.class_names"), HasSubstr("got \"unrip\""),
                    HasSubstr("did you mean \"unripe\"?")));
  EXPECT_THAT(ErrorOfRecipe("  split { validation: 0.2 test: 0.2 seed: 1 }\n", ""),
              HasSubstr("expected dataset.split"));
}

TEST_F(OwnImagesTest, TyposOnTheCommandLineNameTheFlagAndTheFix) {
  const FinishedProgram flag = Train({"--epoch", "3"});
  EXPECT_EQ(flag.exit_code, 2);
  EXPECT_THAT(flag.error, HasSubstr("--epoch: did you mean --epochs?"));
  const FinishedProgram folder =
      RunProgram({ProgramsFolder() + "/lipserve-train", "train", "--recipe", recipe_, "--data",
                  folder_.path("friut"), "--out", folder_.path("models/fruit/1")});
  EXPECT_EQ(folder.exit_code, 1);
  EXPECT_THAT(folder.error, AllOf(HasSubstr("friut"), HasSubstr("check --data")));
}

TEST_F(OwnImagesTest, AStrayImageNamesItself) {
  WriteRgbPng(folder_.path("fruit/ripe/big.png"), 9, 8, std::vector<std::uint8_t>(9 * 8 * 3));
  EXPECT_THAT(Train().error,
              AllOf(HasSubstr("ripe/big.png: expected 8x8 pixels"), HasSubstr("got 9x8")));
  WriteBytes(folder_.path("fruit/ripe/big.png"), "\x89PNG\r\n");
  EXPECT_THAT(Train().error, HasSubstr("ripe/big.png: expected a PNG image"));
}

TEST_F(OwnImagesTest, FromAFolderOfImagesToCertifiedAnswers) {
  const FinishedProgram trained = Train();
  ASSERT_EQ(trained.exit_code, 0) << trained.error;
  EXPECT_THAT(trained.output, HasSubstr("report.html"));
  const std::string report = ReadBytes(folder_.path("models/fruit/1/report.html"));
  EXPECT_THAT(report, AllOf(HasSubstr("\"unripe\""), HasSubstr("image_folder"),
                            HasSubstr("data:image/png;base64,")));

  const FinishedProgram evaluated =
      RunProgram({ProgramsFolder() + "/lipserve-train", "evaluate", "--model",
                  folder_.path("models/fruit/1"), "--data", folder_.path("fruit")});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.error;
  EXPECT_THAT(evaluated.output, HasSubstr("16 samples"));  // a fifth of eighty

  auto mistyped = StartServer(folder_.path("model"));
  EXPECT_FALSE(mistyped.ok());
  EXPECT_THAT(std::string(mistyped.status().message()), HasSubstr("model"));
  auto server = StartServer(folder_.path("models"));
  ASSERT_TRUE(server.ok()) << server.status();

  const auto classify = [&server](const std::string& model, const std::string& image) {
    return RunClient({"classify", "--server", server->grpc_address, "--model", model, image});
  };
  const FinishedProgram model = classify("friut", folder_.path("fruit/ripe/1.png"));
  EXPECT_EQ(model.exit_code, 1);
  EXPECT_THAT(model.error, AllOf(HasSubstr("friut"), HasSubstr("fruit")));
  const FinishedProgram file = classify("fruit", folder_.path("fruit/ripe/1000.png"));
  EXPECT_EQ(file.exit_code, 1);
  EXPECT_THAT(file.error, HasSubstr("1000.png: cannot open"));
  WriteRgbPng(folder_.path("big.png"), 9, 8, std::vector<std::uint8_t>(9 * 8 * 3));
  const FinishedProgram size = classify("fruit", folder_.path("big.png"));
  EXPECT_EQ(size.exit_code, 1);
  EXPECT_THAT(
      size.error,
      AllOf(HasSubstr("big.png: image size: expected 8x8 pixels"),
            HasSubstr("got 9x8; crop or scale it in the way that the training images were")));

  const auto answer = [&server](const std::string& image) {
    return RunClient(
        {"classify", "--server", server->grpc_address, "--model", "fruit", "--json", image});
  };
  const FinishedProgram ripe = answer(folder_.path("fruit/ripe/1.png"));
  EXPECT_EQ(ripe.exit_code, 0) << ripe.error;
  EXPECT_THAT(ripe.output, HasSubstr("\"ripe\""));
  const FinishedProgram unripe = answer(folder_.path("fruit/unripe/1.jpg"));
  EXPECT_EQ(unripe.exit_code, 0) << unripe.error;
  EXPECT_THAT(unripe.output, HasSubstr("\"unripe\""));
}

}  // namespace
}  // namespace lipserve
