// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/cifar10_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/trainer/tiny_experiment.h"

namespace lipserve::trainer {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Record(char label, char red, char green, char blue) {
  return std::string(1, label) + std::string(1024, red) + std::string(1024, green) +
         std::string(1024, blue);
}

class Cifar10DatasetTest : public ::testing::Test {
 protected:
  Cifar10DatasetTest() {
    for (char batch = 1; batch <= 5; ++batch) {
      WriteBytes(folder_.path("data_batch_" + std::to_string(batch) + ".bin"),
                 Record(batch, batch, 20, 30));
    }
    WriteBytes(folder_.path("test_batch.bin"), Record(9, 7, 8, 9) + Record(0, 1, 2, 3));
  }
  std::string Error() const {
    return std::string(ReadCifar10Dataset(folder_.path(), WhichFiles::kAll).status().message());
  }

  const TemporaryFolder folder_;
};

TEST_F(Cifar10DatasetTest, ReadsRecordsOfAllFilesInOrder) {
  const auto dataset = ReadCifar10Dataset(folder_.path(), WhichFiles::kAll);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->train->shape, (SampleShape{3, 32, 32}));
  EXPECT_THAT(dataset->train->labels, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(dataset->test->labels, ElementsAre(9, 0));
  EXPECT_EQ(dataset->test->pixels[1023], 7);
  EXPECT_EQ(dataset->test->pixels[1024], 8);
  EXPECT_EQ(dataset->test->pixels[3071], 9);
  EXPECT_EQ(dataset->test->pixels[3072], 1);
}

TEST_F(Cifar10DatasetTest, TakesTheNamesOfTheClassesIfTheyAreThere) {
  WriteBytes(folder_.path("batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  const auto dataset = ReadCifar10Dataset(folder_.path(), WhichFiles::kTestIfPresent);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_FALSE(dataset->train.has_value());
  EXPECT_EQ(dataset->test->label_names.at(9), "j");
  WriteBytes(folder_.path("batches.meta.txt"), "a\nb\n");
  EXPECT_THAT(Error(), HasSubstr("batches.meta.txt: expected 10 names, one a line, got 2"));
}

TEST_F(Cifar10DatasetTest, RefusesAFileCutShortALabelAboveNineAndAMissingFile) {
  WriteBytes(folder_.path("data_batch_3.bin"), Record(1, 1, 1, 1).substr(1));
  EXPECT_THAT(Error(), AllOf(HasSubstr("data_batch_3.bin: expected a multiple of 3073 bytes"),
                             HasSubstr("got 3072")));
  WriteBytes(folder_.path("data_batch_3.bin"), Record(1, 1, 1, 1) + Record(10, 1, 1, 1));
  EXPECT_THAT(Error(), HasSubstr("data_batch_3.bin: record 1: expected a label from 0 to 9"));
  WriteBytes(folder_.path("data_batch_3.bin"), "");
  EXPECT_THAT(Error(), HasSubstr("got 0"));
  std::filesystem::remove(folder_.path("data_batch_3.bin"));
  EXPECT_THAT(Error(), HasSubstr("data_batch_3.bin: cannot open"));
}

}  // namespace
}  // namespace lipserve::trainer
