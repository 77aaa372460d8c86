// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/image_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/proto/write_jpeg.h"
#include "tests/proto/write_png.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/data/dataset.h"

namespace lipserve::trainer {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ImageFolderTest : public ::testing::Test {
 protected:
  ImageFolderTest() { spec_.mutable_image_folder(); }

  // A 2 x 1 picture of one colour.
  void Write(const std::string& file, std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
    const std::string path = folder_.path(file);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    WriteRgbPng(path, 2, 1, {red, green, blue, red, green, blue});
  }
  void WriteGrey(const std::string& file, std::uint8_t grey, unsigned width = 2) {
    const std::string path = folder_.path(file);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    WritePng(path, {.width = width, .height = 1}, std::vector<std::uint8_t>(width, grey));
  }

  RawDataset Read(WhichFiles which = WhichFiles::kAll) const {
    auto dataset = ReadImageFolder(spec_, folder_.path(), which);
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    return dataset.ok() ? *std::move(dataset) : RawDataset();
  }
  std::string Error() const {
    return std::string(ReadImageFolder(spec_, folder_.path(), WhichFiles::kAll).status().message());
  }

  const TemporaryFolder folder_;
  v1::DatasetSpec spec_;
};

TEST_F(ImageFolderTest, ClassesAndFilesAreInTheOrderOfTheirNames) {
  WriteGrey("dog/b.png", 4);
  WriteGrey("dog/a.PNG", 3);
  WriteGrey("cat/9.png", 2);
  WriteGrey("cat/10.png", 1);
  const RawDataset dataset = Read();
  ASSERT_TRUE(dataset.train.has_value());
  EXPECT_FALSE(dataset.test.has_value());
  EXPECT_EQ(dataset.train->shape, (SampleShape{1, 1, 2}));
  EXPECT_THAT(dataset.train->label_names, ElementsAre("cat", "dog"));
  EXPECT_THAT(dataset.train->labels, ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(dataset.train->pixels, ElementsAre(1, 1, 2, 2, 3, 3, 4, 4));
}

TEST_F(ImageFolderTest, ColoursBecomePlanesAndOneOfThemMakesAllRgb) {
  Write("a/1.png", 10, 20, 30);
  WriteGrey("b/1.png", 7);
  const RawDataset dataset = Read();
  EXPECT_EQ(dataset.train->shape, (SampleShape{3, 1, 2}));
  EXPECT_THAT(dataset.train->pixels, ElementsAre(10, 10, 20, 20, 30, 30, 7, 7, 7, 7, 7, 7));
}

TEST_F(ImageFolderTest, TheRecipeMayAskForGrey) {
  Write("a/1.png", 255, 0, 0);
  WriteGrey("b/1.png", 7);
  spec_.mutable_image_folder()->set_channels(1);
  EXPECT_THAT(Read().train->pixels, ElementsAre(76, 76, 7, 7));
}

TEST_F(ImageFolderTest, TestImagesTakeTheChannelsOfTraining) {
  Write("train/a/1.png", 10, 20, 30);
  Write("train/b/1.png", 10, 20, 30);
  WriteGrey("test/a/1.png", 5);
  WriteGrey("test/b/1.png", 6);
  for (const WhichFiles which : {WhichFiles::kAll, WhichFiles::kTestIfPresent}) {
    const RawDataset dataset = Read(which);
    ASSERT_TRUE(dataset.test.has_value());
    EXPECT_THAT(dataset.test->pixels, ElementsAre(5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6));
  }
}

TEST_F(ImageFolderTest, ReadsJpegBesidePngWhateverTheNameSays) {
  WriteGrey("a/1.jpg", 50);
  std::filesystem::create_directories(folder_.path("b"));
  WriteJpeg(folder_.path("b/1.jpeg"), {.width = 2, .height = 1}, {90, 90});
  EXPECT_THAT(Read().train->pixels, ElementsAre(50, 50, 90, 90));
}

TEST_F(ImageFolderTest, KeepsTheNamedClassesInTheirOrder) {
  WriteGrey("a/1.png", 1);
  WriteGrey("b/1.png", 2);
  WriteGrey("c/1.png", 3);
  spec_.add_class_names("c");
  spec_.add_class_names("a");
  const RawDataset dataset = Read();
  EXPECT_THAT(dataset.train->label_names, ElementsAre("c", "a"));
  EXPECT_THAT(dataset.train->pixels, ElementsAre(3, 3, 1, 1));
}

TEST_F(ImageFolderTest, RefusesAFolderThatCannotBeALabelBeforeItReadsAnImage) {
  const std::string bad_names[] = {"caf\xe9", "a\nb", "a\x1b[31m"};
  for (const std::string& name : bad_names) {
    std::filesystem::create_directories(folder_.path(name));
    WriteGrey("dog/1.png", 1);
    EXPECT_THAT(Error(), HasSubstr("expected a name of 1 to 255 bytes of UTF-8 without control "
                                   "characters, because it becomes a label of the model"));
    EXPECT_EQ(Error().find_first_of("\x1b\n\xe9"), std::string::npos) << Error();
    std::filesystem::remove(folder_.path(name));
  }
  WriteGrey("caf\u00e9/1.png", 1);
  EXPECT_THAT(Read().train->label_names, ElementsAre("caf\u00e9", "dog"));
}

TEST_F(ImageFolderTest, AFolderOfValidationImagesIsTheValidationSet) {
  for (const std::string name : {"val", "valid", "validation"}) {
    WriteGrey("train/a/1.png", 1);
    WriteGrey("train/b/1.png", 2);
    WriteGrey("test/a/1.png", 5);
    WriteGrey("test/b/1.png", 6);
    WriteGrey(name + "/a/1.png", 3);
    WriteGrey(name + "/b/1.png", 4);
    const auto dataset = LoadDataset(spec_, folder_.path());
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_THAT(dataset->validation.pixels, ElementsAre(3, 3, 4, 4));
    EXPECT_THAT(dataset->evaluation().pixels, ElementsAre(5, 5, 6, 6));
    spec_.mutable_split()->set_validation(0.5);
    EXPECT_THAT(std::string(LoadDataset(spec_, folder_.path()).status().message()),
                HasSubstr("dataset.split.validation: expected 0, since the data has a validation"));
    spec_.clear_split();
    std::filesystem::remove_all(folder_.path("test"));
    const auto without_test = LoadDataset(spec_, folder_.path());
    ASSERT_TRUE(without_test.ok()) << without_test.status();
    EXPECT_THAT(without_test->evaluation().pixels, ElementsAre(3, 3, 4, 4));
    const auto evaluation = LoadEvaluationSamples(spec_, folder_.path());
    ASSERT_TRUE(evaluation.ok()) << evaluation.status();
    EXPECT_EQ(evaluation->pixels, without_test->evaluation().pixels);
    std::filesystem::remove_all(folder_.path(name));
  }
}

TEST_F(ImageFolderTest, NothingBesideTrainIsPassedOverInSilence) {
  WriteGrey("train/a/1.png", 1);
  WriteGrey("train/b/1.png", 2);
  WriteGrey("val/a/1.png", 3);
  WriteGrey("val/b/1.png", 4);
  WriteBytes(folder_.path("labels.csv"), "a,b");
  WriteBytes(folder_.path("README.txt"), "about");
  const auto dataset = LoadDataset(spec_, folder_.path());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(DescribeUnused("data", *dataset), "data: not used: labels.csv");
  WriteGrey("valid/a/1.png", 3);
  EXPECT_THAT(Error(), HasSubstr("expected one folder of validation images, got val and valid"));
  std::filesystem::remove_all(folder_.path("valid"));
  std::filesystem::create_directories(folder_.path("Test"));
  EXPECT_THAT(Error(), HasSubstr("beside train expected only the folders test and val (or valid, "
                                 "validation), got Test"));
}

TEST_F(ImageFolderTest, FoldersNamedLikePartsAreNotTakenForClasses) {
  WriteGrey("Train/1.png", 1);
  WriteGrey("Test/1.png", 2);
  EXPECT_THAT(Error(), HasSubstr("expected the training images in a folder named train, got only"));
  WriteGrey("Bus/1.png", 2);
  EXPECT_THAT(Read().train->label_names, ElementsAre("Bus", "Test", "Train"));
}

TEST_F(ImageFolderTest, AMistypedClassIsAnsweredByTheOneThatWasMeant) {
  WriteGrey("airplane/1.png", 1);
  WriteGrey("truck/1.png", 2);
  spec_.add_class_names("airplain");
  spec_.add_class_names("truck");
  EXPECT_THAT(Error(), AllOf(HasSubstr("dataset.class_names: expected names of folders in"),
                             HasSubstr("got \"airplain\"; did you mean \"airplane\"?")));
}

TEST_F(ImageFolderTest, RefusesImagesOfTwoSizesNamingBoth) {
  WriteGrey("a/1.png", 1);
  WriteGrey("b/2.png", 1, 3);
  EXPECT_THAT(Error(), AllOf(HasSubstr("b/2.png: expected 2x1 pixels (width x height) like"),
                             HasSubstr("a/1.png, got 3x1: resize all images")));
}

TEST_F(ImageFolderTest, RefusesWhatItWouldOtherwiseSkip) {
  WriteGrey("a/1.png", 1);
  WriteGrey("b/1.png", 1);
  WriteBytes(folder_.path("b/notes.txt"), "hello");
  EXPECT_THAT(Error(), HasSubstr("b/notes.txt: expected only .png, .jpg and .jpeg files"));
  std::filesystem::remove(folder_.path("b/notes.txt"));
  std::filesystem::create_directories(folder_.path("b/more"));
  EXPECT_THAT(Error(), HasSubstr("b/more: expected only images in the folder of a class"));
  std::filesystem::remove(folder_.path("b/more"));
  WriteGrey("loose.png", 1);
  EXPECT_THAT(Error(), HasSubstr("loose.png: expected only folders here, one a class"));
  std::filesystem::remove(folder_.path("loose.png"));
  WriteBytes(folder_.path(".DS_Store"), "hidden");
  EXPECT_EQ(Error(), "");
}

TEST_F(ImageFolderTest, RefusesEveryTruncationOfAnImageNamingIt) {
  WriteGrey("a/1.png", 1);
  WriteGrey("b/1.png", 1);
  const std::string whole = ReadBytes(folder_.path("b/1.png"));
  for (std::size_t size = 0; size < whole.size() - 12; ++size) {  // IEND carries no pixels
    WriteBytes(folder_.path("b/1.png"), whole.substr(0, size));
    ASSERT_THAT(Error(), HasSubstr("b/1.png: expected a PNG")) << size;
  }
}

TEST_F(ImageFolderTest, RefusesEmptyFoldersAndASingleClass) {
  EXPECT_THAT(Error(), HasSubstr("expected at least two folders, one a class, got none"));
  WriteGrey("a/1.png", 1);
  EXPECT_THAT(Error(), HasSubstr("got only a"));
  std::filesystem::create_directories(folder_.path("b"));
  EXPECT_THAT(Error(), HasSubstr("b: expected images, got an empty folder"));
}

TEST_F(ImageFolderTest, RefusesTestClassesThatTrainingHasNot) {
  for (const char* name : {"train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png"}) {
    WriteGrey(name, 1);
  }
  EXPECT_THAT(Error(), AllOf(HasSubstr("test: expected the classes of"),
                             HasSubstr("train (a, b), got a, c")));
}

TEST_F(ImageFolderTest, WithoutTestFilesTheRecipeMustHoldSamplesBack) {
  for (int i = 0; i < 4; ++i) {
    WriteGrey("a/" + std::to_string(i) + ".png", 1);
    WriteGrey("b/" + std::to_string(i) + ".png", 2);
  }
  const auto refused = LoadDataset(spec_, folder_.path());
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("there is no test set beside it: expected dataset.split"));
  spec_.mutable_split()->set_validation(0.25);
  spec_.mutable_split()->set_test(0.25);
  const auto dataset = LoadDataset(spec_, folder_.path());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->train.size(), 4U);
  EXPECT_EQ(dataset->validation.size(), 2U);
  ASSERT_TRUE(dataset->test.has_value());
  EXPECT_THAT(dataset->test->labels, ElementsAre(0, 1));
  const auto evaluation = LoadEvaluationSamples(spec_, folder_.path());
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  EXPECT_EQ(evaluation->pixels, dataset->test->pixels);
}

}  // namespace
}  // namespace lipserve::trainer
