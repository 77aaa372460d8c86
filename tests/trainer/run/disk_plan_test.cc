// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/disk_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/trainer/tiny_training.h"

namespace lipserve::trainer {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMega = std::uint64_t{1} << 20U;

class DiskPlanTest : public ::testing::Test, protected TinyTraining {
 protected:
  DiskPlanTest() : TinyTraining(TinyRecipeText()) {}
};

std::string ErrorOf(const DiskPlan& plan, const DiskSpace& space) {
  return std::string(CheckFits(plan, space, "out").message());
}

TEST_F(DiskPlanTest, EveryFileOfARunIsAsLargeAsPlannedAtMost) {
  const auto run = Start();
  const DiskPlan plan = PlanDisk(run->loop(), 0);
  ASSERT_TRUE(run->Train(observer_).ok());
  EXPECT_LE(std::filesystem::file_size(run->folder().checkpoint_path()), plan.checkpoint_bytes);
  ASSERT_TRUE(run->Finish({1.0, 1.0, 1.0}).ok());
  EXPECT_LE(std::filesystem::file_size(run->folder().report_path()) +
                std::filesystem::file_size(run->folder().metrics_path()),
            plan.report_bytes);
}

TEST(DiskPlanCheckTest, TheLastCheckpointIsKeptBesideTheNextOneAndBesideTheModel) {
  EXPECT_EQ((DiskPlan{.checkpoint_bytes = 5, .model_bytes = 3, .report_bytes = 1}).peak_bytes(),
            10);
  EXPECT_EQ((DiskPlan{.checkpoint_bytes = 5, .model_bytes = 5, .report_bytes = 2}).peak_bytes(),
            12);
}

TEST(DiskPlanCheckTest, RefusesWhatDoesNotFitAndSaysWhatIsMissing) {
  const DiskPlan plan{
      .checkpoint_bytes = 5 * kMega, .model_bytes = 4 * kMega, .report_bytes = kMega};
  const DiskSpace enough{
      .available_bytes = 10 * kMega, .max_file_bytes = 5 * kMega, .available_files = 5};
  EXPECT_EQ(ErrorOf(plan, enough), "");
  DiskSpace space = enough;
  space.available_bytes -= 1;
  EXPECT_THAT(ErrorOf(plan, space),
              HasSubstr("output folder out: expected 10 MiB of free space (two checkpoints of 5 "
                        "MiB, or one with a model of 4 and a report of 1), got 9 MiB: make room"));
  space = enough;
  space.max_file_bytes -= 1;
  EXPECT_THAT(ErrorOf(plan, space), HasSubstr("raise it with ulimit -f"));
  space = enough;
  space.available_files = 4;
  EXPECT_THAT(ErrorOf(plan, space), HasSubstr("got 4 free inodes"));
}

TEST(DiskPlanCheckTest, RefusesACheckpointThatProtobufCouldNotRead) {
  const DiskPlan plan{.checkpoint_bytes = 2048 * kMega, .model_bytes = 0, .report_bytes = 0};
  const DiskSpace space{
      .available_bytes = 8192 * kMega, .max_file_bytes = 8192 * kMega, .available_files = 5};
  EXPECT_THAT(ErrorOf(plan, space), HasSubstr("expected checkpoints of at most 2047 MiB"));
}

TEST(DiskPlanCheckTest, ReadsTheSpaceOfAFolder) {
  const DiskSpace space = ReadDiskSpace(std::filesystem::temp_directory_path().string());
  EXPECT_GT(space.available_bytes, 0U);
  EXPECT_GT(space.available_files, 0U);
}

}  // namespace
}  // namespace lipserve::trainer
