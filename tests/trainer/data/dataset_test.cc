// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <string>

#include "tests/trainer/tiny_experiment.h"
#include "trainer/recipes/recipe_file.h"

namespace lipserve::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DatasetTest : public ::testing::Test {
 protected:
  DatasetTest() {
    WriteTinyDataset(folder_.path());
    spec_ = ParseRecipe(TinyRecipeText(), "tiny")->dataset();
  }

  void ExpectError(absl::StatusCode code, const std::string& part) const {
    const auto dataset = LoadDataset(spec_, folder_.path());
    ASSERT_FALSE(dataset.ok());
    EXPECT_EQ(dataset.status().code(), code) << dataset.status();
    EXPECT_THAT(std::string(dataset.status().message()), HasSubstr(part));
  }

  const TemporaryFolder folder_;
  v1::DatasetSpec spec_;
};

v1::DatasetSpec Mnist08() { return ReadRecipeFile(RECIPE_FOLDER "/mnist08.textproto")->dataset(); }

TEST_F(DatasetTest, HasTheSizesAndProportionsOfTheDemoPage) {
  const auto dataset = LoadDataset(Mnist08(), MNIST_FOLDER);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(DescribeClassProportions("train", dataset->train),
            "train set size: 11774 samples, classes proportions: 50.306 percent");
  EXPECT_EQ(DescribeClassProportions("test", dataset->validation),
            "test set size: 1954 samples, classes proportions: 50.154 percent");
}

TEST_F(DatasetTest, RelabelsToClassIndicesInTheOrderOfTheRecipe) {
  spec_.clear_classes();
  spec_.add_classes(5);
  spec_.add_classes(3);
  const auto dataset = LoadDataset(spec_, folder_.path());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->train.size(), 600u);
  EXPECT_EQ(dataset->validation.size(), 100u);
  EXPECT_EQ(dataset->train.labels[0], 1);  // stored as 3
  EXPECT_EQ(dataset->train.labels[1], 0);  // stored as 5
  EXPECT_EQ(dataset->train.labels[2], 1);  // 9 is left out
}

TEST_F(DatasetTest, KeepsThePixelsOfTheSamplesItKeeps) {
  const auto dataset = LoadDataset(spec_, folder_.path());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const std::string stored = ReadBytes(folder_.path("train-images-idx3-ubyte"));
  constexpr std::size_t kHeaderBytes = 16;
  constexpr std::size_t kImageBytes = 64;
  // Sample 2 is image 3: image 2 has label 9.
  const auto image = dataset->train.image(2);
  for (std::size_t p = 0; p < kImageBytes; ++p) {
    ASSERT_EQ(image[p], static_cast<std::uint8_t>(stored[kHeaderBytes + 3 * kImageBytes + p])) << p;
  }
}

TEST_F(DatasetTest, KeepsAllClassesIfTheRecipeNamesNone) {
  spec_.clear_classes();
  spec_.clear_class_names();
  const auto dataset = LoadDataset(spec_, folder_.path());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT(dataset->train.class_names, ElementsAre("3", "5", "9"));
  EXPECT_EQ(dataset->train.size(), 900u);
  EXPECT_EQ(DescribeClassProportions("train", dataset->train),
            "train set size: 900 samples, classes proportions: 33.333, 33.333, 33.333 percent");
}

TEST_F(DatasetTest, NumbersEqualLabelsEquallyInBothSplits) {
  // Without named classes, a class that only the training set has must not shift the others.
  spec_.clear_classes();
  spec_.clear_class_names();
  WriteIdx(folder_.path("t10k-labels-idx1-ubyte"), {150}, std::vector<std::uint8_t>(150, 9));
  ExpectError(absl::StatusCode::kInvalidArgument, "found none with label 3");
}

TEST_F(DatasetTest, RefusesAValidationLabelThatTrainingNeverSaw) {
  spec_.clear_classes();
  spec_.clear_class_names();
  std::vector<std::uint8_t> labels(150, 3);
  labels[10] = 4;
  WriteIdx(folder_.path("t10k-labels-idx1-ubyte"), {150}, labels);
  ExpectError(absl::StatusCode::kInvalidArgument,
              "sample 10: expected a label of the training set");
}

TEST_F(DatasetTest, ReadsOnlyTheValidationSplitTheSameWay) {
  const auto dataset = LoadDataset(spec_, folder_.path());
  std::filesystem::remove(folder_.path("train-images-idx3-ubyte"));
  const auto samples = LoadEvaluationSamples(spec_, folder_.path());
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_EQ(samples->pixels, dataset->validation.pixels);
  EXPECT_EQ(samples->labels, dataset->validation.labels);
}

TEST_F(DatasetTest, DigestChangesWithOnePixelOfEitherSplit) {
  const std::string before = LoadDataset(spec_, folder_.path())->sha256;
  EXPECT_EQ(before.size(), 32u);
  EXPECT_EQ(LoadDataset(spec_, folder_.path())->sha256, before);
  for (const char* name : {"train-images-idx3-ubyte", "t10k-images-idx3-ubyte"}) {
    const std::string bytes = ReadBytes(folder_.path(name));
    std::string changed = bytes;
    changed[20] = static_cast<char>(changed[20] ^ 1);
    WriteBytes(folder_.path(name), changed);
    EXPECT_NE(LoadDataset(spec_, folder_.path())->sha256, before) << name;
    WriteBytes(folder_.path(name), bytes);
  }
}

TEST_F(DatasetTest, NamesAMissingFileInBothForms) {
  std::filesystem::remove(folder_.path("t10k-labels-idx1-ubyte"));
  ExpectError(absl::StatusCode::kNotFound,
              "expected t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz, found neither");
}

TEST_F(DatasetTest, RefusesToChooseBetweenPlainAndGzip) {
  std::filesystem::copy(folder_.path("train-labels-idx1-ubyte"),
                        folder_.path("train-labels-idx1-ubyte.gz"));
  ExpectError(absl::StatusCode::kInvalidArgument,
              "both train-labels-idx1-ubyte and train-labels-idx1-ubyte.gz exist");
}

TEST_F(DatasetTest, RefusesAnotherNumberOfLabelsThanImages) {
  WriteIdx(folder_.path("train-labels-idx1-ubyte"), {899}, std::vector<std::uint8_t>(899, 3));
  ExpectError(absl::StatusCode::kInvalidArgument, "900 images but");
}

TEST_F(DatasetTest, RefusesSplitsWithDifferentImageSizes) {
  WriteIdx(folder_.path("t10k-images-idx3-ubyte"), {150, 8, 9},
           std::vector<std::uint8_t>(150 * 72, 0));
  ExpectError(absl::StatusCode::kInvalidArgument, "expected images of 8 x 8");
}

TEST_F(DatasetTest, RefusesAClassWithoutSamplesNamingTheLabel) {
  spec_.set_classes(1, 4);
  ExpectError(absl::StatusCode::kInvalidArgument, "found none with label 4");
}

TEST_F(DatasetTest, RefusesEmptyFiles) {
  WriteIdx(folder_.path("train-images-idx3-ubyte"), {0, 8, 8}, {});
  WriteIdx(folder_.path("train-labels-idx1-ubyte"), {0}, {});
  ExpectError(absl::StatusCode::kInvalidArgument, "expected images, got none");
}

TEST_F(DatasetTest, RefusesImagesInPlaceOfLabelsAndViceVersa) {
  std::filesystem::copy_file(folder_.path("train-images-idx3-ubyte"),
                             folder_.path("train-labels-idx1-ubyte"),
                             std::filesystem::copy_options::overwrite_existing);
  ExpectError(absl::StatusCode::kInvalidArgument, "expected labels of dimensions [count]");
}

TEST_F(DatasetTest, RefusesATruncatedFileNamingIt) {
  const std::string bytes = ReadBytes(folder_.path("train-images-idx3-ubyte"));
  WriteBytes(folder_.path("train-images-idx3-ubyte"), bytes.substr(0, bytes.size() - 1));
  ExpectError(absl::StatusCode::kInvalidArgument, "train-images-idx3-ubyte: truncated");
}

TEST_F(DatasetTest, RefusesAnotherNumberOfNamesThanClasses) {
  spec_.clear_classes();
  ExpectError(absl::StatusCode::kInvalidArgument, "one name for each of the labels 3, 5, 9, got 2");
}

}  // namespace
}  // namespace lipserve::trainer
