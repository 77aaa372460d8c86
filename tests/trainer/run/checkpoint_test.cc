// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/network/sealed_file.h"
#include "tests/trainer/silent_observer.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/recipes/recipe_file.h"

namespace lipserve::trainer {
namespace {

using ::testing::HasSubstr;

constexpr int kThreads = 1;

std::vector<std::vector<float>> ValuesOf(TrainingLoop& loop) {
  std::vector<std::vector<float>> values;
  for (const NamedArrayReference& array : loop.Arrays()) values.push_back(*array.values);
  return values;
}

// `trained_` has one epoch behind it, and its checkpoint is on disk.
class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() : path_(folder_.path(kCheckpointFileName)) {
    WriteTinyDataset(folder_.path("data"));
    recipe_ = *ParseRecipe(TinyRecipeText(), "tiny");
    dataset_ = *LoadDataset(recipe_.dataset(), folder_.path("data"));
    trained_ = Create();
    EXPECT_TRUE(trained_->RunEpoch(observer_).ok());
    EXPECT_TRUE(WriteCheckpoint(path_, kThreads, *trained_).ok());
  }

  std::unique_ptr<TrainingLoop> Create() const { return *TrainingLoop::Create(recipe_, dataset_); }

  // What restoring into a new loop of the present recipe returns; the loop must stay as it was.
  absl::Status RestoreError(int threads = kThreads) const {
    const auto loop = Create();
    const auto before = ValuesOf(*loop);
    const absl::Status status = RestoreCheckpoint(path_, threads, *loop);
    EXPECT_EQ(ValuesOf(*loop), before);
    EXPECT_EQ(loop->epochs_done(), 0);
    EXPECT_EQ(loop->optimizer().steps, 0);
    return status;
  }

  void ExpectRefusal(const absl::Status& status, absl::StatusCode code,
                     const std::string& part) const {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }

  // Rewrites the content behind a right checksum.
  template <typename Change>
  void ChangeContent(Change change) const {
    v1::CheckpointContent content;
    ASSERT_TRUE(content.ParseFromString(ReadSealedFile(path_, {"lipserve.checkpoint", 1})->bytes));
    change(content);
    ASSERT_TRUE(
        WriteSealedFile(path_, {"lipserve.checkpoint", 1}, content.SerializeAsString()).ok());
  }

  const TemporaryFolder folder_;
  const std::string path_;
  SilentObserver observer_;
  v1::Recipe recipe_;
  Dataset dataset_;
  std::unique_ptr<TrainingLoop> trained_;
};

TEST_F(CheckpointTest, ContinuesToTheSameStateAsTheUninterruptedRun) {
  const auto resumed = Create();
  const absl::Status status = RestoreCheckpoint(path_, kThreads, *resumed);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(resumed->epochs_done(), 1);
  EXPECT_EQ(ValuesOf(*resumed), ValuesOf(*trained_));
  while (!trained_->finished()) {
    ASSERT_TRUE(trained_->RunEpoch(observer_).ok());
    ASSERT_TRUE(resumed->RunEpoch(observer_).ok());
    EXPECT_EQ(ValuesOf(*resumed), ValuesOf(*trained_));
    EXPECT_EQ(resumed->history().back().SerializeAsString(),
              trained_->history().back().SerializeAsString());
  }
  EXPECT_EQ(resumed->optimizer().steps, trained_->optimizer().steps);
}

TEST_F(CheckpointTest, HoldsEveryArrayThatTrainingChanges) {
  // If an array were left out of Arrays(), a second epoch would start from another state; the test
  // above sees that. This one sees that names are unique, so that none is restored twice.
  std::vector<std::string> names;
  for (const NamedArrayReference& array : trained_->Arrays()) names.push_back(array.name);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_THAT(names, ::testing::Contains("layer1.kernel"));
}

TEST_F(CheckpointTest, TheSameStateGivesTheSameBytes) {
  const std::string before = ReadBytes(path_);
  ASSERT_TRUE(WriteCheckpoint(path_, kThreads, *trained_).ok());
  EXPECT_EQ(ReadBytes(path_), before);
}

TEST_F(CheckpointTest, RefusesAnotherSeedNamingBoth) {
  recipe_.set_seed(99);
  ExpectRefusal(RestoreError(), absl::StatusCode::kFailedPrecondition, "modified: seed: 7 -> 99");
}

TEST_F(CheckpointTest, RefusesAnotherRecipeNamingTheField) {
  recipe_.mutable_optimizer()->mutable_adam()->set_learning_rate(0.5);
  recipe_.set_epochs(4);
  const absl::Status status = RestoreError();
  ExpectRefusal(status, absl::StatusCode::kFailedPrecondition,
                "modified: optimizer.adam.learning_rate: 0.01 -> 0.5");
  ExpectRefusal(status, absl::StatusCode::kFailedPrecondition, "modified: epochs: 3 -> 4");
}

TEST_F(CheckpointTest, RefusesAnotherThreadCountNamingBoth) {
  ExpectRefusal(RestoreError(2), absl::StatusCode::kFailedPrecondition, "threads: 1 -> 2");
}

TEST_F(CheckpointTest, RefusesAnotherDatasetNamingBothDigests) {
  const std::string before = dataset_.sha256;
  WriteTinySplit(folder_.path("data"), "t10k", 150, 77);
  dataset_ = *LoadDataset(recipe_.dataset(), folder_.path("data"));
  ExpectRefusal(RestoreError(), absl::StatusCode::kFailedPrecondition,
                "dataset SHA-256: " + ToHex(before) + " -> " + ToHex(dataset_.sha256));
}

TEST_F(CheckpointTest, RefusesEveryFlippedByte) {
  const std::string whole = ReadBytes(path_);
  ASSERT_GT(whole.size(), 1000u);
  for (std::size_t byte = 0; byte < whole.size(); byte += byte < 200 ? 1 : 97) {
    SCOPED_TRACE(byte);
    std::string corrupt = whole;
    corrupt[byte] = static_cast<char>(corrupt[byte] ^ 0x10);
    WriteBytes(path_, corrupt);
    EXPECT_FALSE(RestoreError().ok());
  }
}

TEST_F(CheckpointTest, RefusesEveryTruncation) {
  const std::string whole = ReadBytes(path_);
  for (std::size_t size = 0; size < whole.size(); size += 101) {
    SCOPED_TRACE(size);
    WriteBytes(path_, whole.substr(0, size));
    EXPECT_FALSE(RestoreError().ok());
  }
}

TEST_F(CheckpointTest, RefusesAFileOfAnotherKind) {
  ASSERT_TRUE(WriteSealedFile(path_, {"lipserve.model", 1}, "").ok());
  EXPECT_EQ(RestoreError().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CheckpointTest, RefusesArraysThatAreNotThoseOfTheNetwork) {
  ChangeContent([](v1::CheckpointContent& content) {
    content.mutable_arrays(0)->mutable_values_fp32()->append(4, '\0');
  });
  ExpectRefusal(RestoreError(), absl::StatusCode::kInvalidArgument, "array 0: expected layer1.");
  ChangeContent([](v1::CheckpointContent& content) { content.mutable_arrays()->RemoveLast(); });
  ExpectRefusal(RestoreError(), absl::StatusCode::kInvalidArgument, "arrays, got");
}

TEST_F(CheckpointTest, RefusesMoreEpochsDoneThanItHasRecordsOf) {
  ChangeContent([](v1::CheckpointContent& content) { content.set_epochs_done(2); });
  ExpectRefusal(RestoreError(), absl::StatusCode::kInvalidArgument, "epochs done");
}

TEST_F(CheckpointTest, SaysThatThereIsNone) {
  std::filesystem::remove(path_);
  EXPECT_EQ(RestoreError().code(), absl::StatusCode::kNotFound);
}

TEST_F(CheckpointTest, NamesTheFolderThatCannotBeWritten) {
  const absl::Status status =
      WriteCheckpoint(folder_.path("none/checkpoint.lip"), kThreads, *trained_);
  ExpectRefusal(status, absl::StatusCode::kInternal, "none/checkpoint.lip");
}

}  // namespace
}  // namespace lipserve::trainer
