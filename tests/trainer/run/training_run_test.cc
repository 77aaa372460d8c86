// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/training_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model/network/model_file.h"
#include "tests/trainer/tiny_training.h"
#include "trainer/recipes/recipe_file.h"
#include "trainer/run/checkpoint.h"

namespace lipserve::trainer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class TrainingRunTest : public ::testing::Test, protected TinyTraining {
 protected:
  TrainingRunTest() : TinyTraining(TinyRecipeText()) {}

  std::string BytesAtTheEnd() {
    RunToTheEnd();
    return ModelBytes();
  }

  void ExpectRefusal(const std::string& part) const {
    const auto run = TrainingRun::Start(options_);
    ASSERT_FALSE(run.ok());
    EXPECT_THAT(std::string(run.status().message()), HasSubstr(part));
  }

  std::string checkpoint_path() const { return options_.out_folder + "/checkpoint.lip"; }
};

TEST_F(TrainingRunTest, LeavesTheModelAndItsMetricsAndNoCheckpoint) {
  RunToTheEnd();
  EXPECT_FALSE(std::filesystem::exists(checkpoint_path()));
  const auto model = ReadModelFile(model_path());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->name, "tiny");
  EXPECT_EQ(model->class_labels, (std::vector<std::string>{"left", "right"}));
  EXPECT_EQ(DescribeDifferences(model->training.recipe(), options_.recipe), "");
  EXPECT_EQ(model->training.trainer_version(), LIPSERVE_VERSION);
  const auto metrics = nlohmann::json::parse(ReadBytes(options_.out_folder + "/metrics.json"));
  EXPECT_EQ(metrics["history"].size(), 3u);
  EXPECT_EQ(metrics["evaluation"]["samples"], 100);
}

TEST_F(TrainingRunTest, RecordsTheValidationMetricsOfTheLastEpochAndTheEvaluation) {
  const auto [run, frozen] = RunToTheEnd();
  const auto model = ReadModelFile(model_path());
  ASSERT_TRUE(model.ok()) << model.status();
  std::map<std::string, double> results;
  for (const v1::NamedValue& value : model->training.results()) {
    results[value.name()] = value.value();
  }
  const v1::EpochRecord& last = run->loop().history().back();
  EXPECT_EQ(results["val_loss"], last.metrics(4).value());
  EXPECT_EQ(results["accuracy"], frozen.evaluation.accuracy);
  EXPECT_EQ(results["certified_accuracy@0.25"], frozen.evaluation.certified[0].accuracy);
  EXPECT_EQ(results.count("loss"), 0u);
}

TEST_F(TrainingRunTest, FreezesTheWeightsOfTheLastStep) {
  const auto [run, frozen] = RunToTheEnd();
  // Validation and the frozen model see the same weights up to the float64 polish, so the accuracy
  // over the set is that of the batches, 32 + 32 + 32 + 4, up to a sample on the border.
  const v1::EpochRecord& last = run->loop().history().back();
  ASSERT_EQ(last.metrics(7).name(), "val_accuracy");
  EXPECT_NEAR(frozen.evaluation.accuracy, last.metrics(7).value(), 0.02);
}

TEST_F(TrainingRunTest, ClaimsANormNearOneForEveryDenseLayer) {
  RunToTheEnd();
  int dense_layers = 0;
  const auto model = ReadModelFile(model_path());
  ASSERT_TRUE(model.ok()) << model.status();
  for (const FrozenLayer& layer : model->network.layers) {
    const auto* dense = std::get_if<DenseLayer>(&layer);
    if (dense == nullptr) continue;
    ++dense_layers;
    EXPECT_NEAR(dense->claimed_operator_norm_bound, 1.0, 1e-6);
  }
  EXPECT_EQ(dense_layers, 2);
}

TEST_F(TrainingRunTest, TheSameRecipeAndSeedGiveTheSameBytesElsewhere) {
  const std::string first = BytesAtTheEnd();
  options_.out_folder = folder_.path("another/place");
  EXPECT_EQ(BytesAtTheEnd(), first);
  options_.out_folder = folder_.path("third");
  options_.recipe.set_seed(8);
  EXPECT_NE(BytesAtTheEnd(), first);
}

TEST_F(TrainingRunTest, ResumingAfterAnyEpochGivesTheBytesOfTheUninterruptedRun) {
  const std::string uninterrupted = BytesAtTheEnd();
  for (int epochs = 0; epochs <= 3; ++epochs) {
    SCOPED_TRACE(epochs);
    options_.out_folder = folder_.path(std::to_string(epochs));
    options_.resume = false;
    RunEpochs(epochs);
    options_.resume = true;
    EXPECT_EQ(BytesAtTheEnd(), uninterrupted);
  }
}

TEST_F(TrainingRunTest, ResumingBetweenModelAndRemovalOfTheCheckpointEndsInTheSameBytes) {
  const std::string uninterrupted = BytesAtTheEnd();
  options_.out_folder = folder_.path("killed");
  RunEpochs(3);
  WriteBytes(model_path(), uninterrupted);
  options_.resume = true;
  EXPECT_EQ(BytesAtTheEnd(), uninterrupted);
  EXPECT_FALSE(std::filesystem::exists(checkpoint_path()));
}

TEST_F(TrainingRunTest, ResumingAFinishedRunDoesNothing) {
  const std::string before = BytesAtTheEnd();
  options_.resume = true;
  options_.data_folder = folder_.path("gone");  // it does not even need the data
  EXPECT_TRUE(Start()->already_finished());
  EXPECT_EQ(ModelBytes(), before);
}

TEST_F(TrainingRunTest, RefusesToResumeAFinishedRunOfAnotherRecipe) {
  RunToTheEnd();
  options_.resume = true;
  options_.recipe.set_seed(8);
  ExpectRefusal("modified: seed: 7 -> 8");
}

TEST_F(TrainingRunTest, RefusesToReplaceAModelOrACheckpointUnasked) {
  RunEpochs(1);
  ExpectRefusal("it holds the checkpoint.lip of a run that was stopped: continue it with --resume");
  options_.overwrite = true;
  RunToTheEnd();
  options_.overwrite = false;
  ExpectRefusal("it holds the model.lip of a finished run");
}

TEST_F(TrainingRunTest, OverwriteStartsAnewAndTouchesNothingElse) {
  const std::string first = BytesAtTheEnd();
  WriteBytes(options_.out_folder + "/notes.txt", "mine");
  options_.overwrite = true;
  options_.recipe.set_seed(8);
  EXPECT_NE(BytesAtTheEnd(), first);
  EXPECT_EQ(ReadBytes(options_.out_folder + "/notes.txt"), "mine");
}

TEST_F(TrainingRunTest, RefusesResumeTogetherWithOverwrite) {
  options_.resume = true;
  options_.overwrite = true;
  ExpectRefusal("expected one, got both");
}

TEST_F(TrainingRunTest, RefusesACorruptCheckpointNamingTheFile) {
  RunEpochs(1);
  std::string bytes = ReadBytes(checkpoint_path());
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  WriteBytes(checkpoint_path(), bytes);
  options_.resume = true;
  ExpectRefusal("checkpoint.lip");
}

TEST_F(TrainingRunTest, RefusesAFolderThatAnotherRunHolds) {
  const auto first = Start();
  ExpectRefusal("another lipserve-train is writing to it");
}

TEST_F(TrainingRunTest, RemovesTemporaryFilesOfKilledRunsOnly) {
  std::filesystem::create_directories(options_.out_folder);
  WriteBytes(options_.out_folder + "/checkpoint.lip.tmp.123", "half");
  WriteBytes(options_.out_folder + "/other.tmp.123", "not ours");
  Start();
  EXPECT_FALSE(std::filesystem::exists(options_.out_folder + "/checkpoint.lip.tmp.123"));
  EXPECT_TRUE(std::filesystem::exists(options_.out_folder + "/other.tmp.123"));
}

TEST_F(TrainingRunTest, RefusesAFolderWhereAFileWillBeWritten) {
  std::filesystem::create_directories(options_.out_folder + "/report.html");
  ExpectRefusal("report.html: expected a file or nothing, got a folder");
}

TEST_F(TrainingRunTest, RefusesBeforeTheFirstStepAModelThatCouldNotBeReadBack) {
  // The text of a recipe cannot say it, but whoever fills the message can.
  options_.recipe.mutable_dataset()->set_published_as("\xe9");
  const auto run = Start();
  const absl::Status status = run->Train(observer_);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("model.lip"), HasSubstr("no step was made")));
  EXPECT_EQ(run->loop().epochs_done(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(options_.out_folder));
}

TEST_F(TrainingRunTest, AnEarlierRunIsRemovedOnlyWhenItsSuccessorCanStart) {
  const std::string before = BytesAtTheEnd();
  options_.overwrite = true;
  options_.data_folder = folder_.path("mistyped");
  ExpectRefusal("mistyped");
  EXPECT_EQ(ModelBytes(), before);
  options_.data_folder = folder_.path("data");
  options_.recipe.mutable_dataset()->set_published_as("\xe9");
  EXPECT_FALSE(Start()->Train(observer_).ok());
  EXPECT_EQ(ModelBytes(), before);
}

// Files may not grow beyond this while it lives: what a full disk does to write().
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, SIG_DFL);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

// Lowers the limit after the given epoch, as if something else had filled the disk.
class DiskFiller final : public TrainingObserver {
 public:
  DiskFiller(std::int64_t epoch, rlim_t bytes) : epoch_(epoch), bytes_(bytes) {}
  void OnEpochBegin(std::int64_t, std::int64_t, std::int64_t) override {}
  void OnStep(std::int64_t, const MetricMeans&) override {}
  void OnEpochEnd(const v1::EpochRecord& record) override {
    if (record.epoch() == epoch_) limit_.emplace(bytes_);
  }

 private:
  const std::int64_t epoch_;
  const rlim_t bytes_;
  std::optional<FileSizeLimit> limit_;
};

TEST_F(TrainingRunTest, ADiskThatFillsUpLosesNothingButTheEpochThatCouldNotBeWritten) {
  const std::string uninterrupted = BytesAtTheEnd();
  options_.out_folder = folder_.path("filled");
  {
    DiskFiller filler(3, 100);
    const absl::Status status = Start()->Train(filler);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("cannot write: File too large"),
                      HasSubstr("checkpoint.lip holds the run up to epoch 2: mend the cause, then "
                                "run the same command with --resume")));
  }
  options_.resume = true;
  const auto resumed = Start();
  EXPECT_EQ(resumed->loop().epochs_done(), 2);
}

TEST_F(TrainingRunTest, ADiskThatIsFullAtTheEndLosesNothing) {
  const std::string uninterrupted = BytesAtTheEnd();
  options_.out_folder = folder_.path("filled");
  RunEpochs(3);
  options_.resume = true;
  {
    const auto run = Start();
    const FileSizeLimit limit(100);
    EXPECT_THAT(std::string(run->Finish({}).status().message()),
                HasSubstr("holds the run up to epoch 3"));
  }
  EXPECT_EQ(BytesAtTheEnd(), uninterrupted);
}

TEST_F(TrainingRunTest, ALimitOnFilesIsSeenBeforeTheFirstStep) {
  const auto run = Start();
  const FileSizeLimit limit(4096);
  EXPECT_THAT(std::string(run->Train(observer_).message()),
              AllOf(HasSubstr("raise it with ulimit -f"), HasSubstr("no step was made")));
}

TEST_F(TrainingRunTest, NamesAnOutputFolderThatCannotBeMade) {
  WriteBytes(folder_.path("file"), "not a folder");
  options_.out_folder = folder_.path("file/models");
  ExpectRefusal("file/models: cannot create: Not a directory");
}

}  // namespace
}  // namespace lipserve::trainer
