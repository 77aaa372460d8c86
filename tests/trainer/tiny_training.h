// SPDX-License-Identifier: Apache-2.0
// Trainings of the tiny data set, each with a folder of its own: what fixtures build on.
#ifndef TESTS_TRAINER_TINY_TRAINING_H_
#define TESTS_TRAINER_TINY_TRAINING_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/trainer/silent_observer.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/recipes/recipe_file.h"
#include "trainer/run/checkpoint.h"
#include "trainer/run/training_run.h"

namespace lipserve::trainer {

class TinyTraining {
 protected:
  struct Ended {
    std::unique_ptr<TrainingRun> run;
    FreezeResult frozen;
  };

  explicit TinyTraining(const std::string& recipe) {
    WriteTinyDataset(folder_.path("data"));
    options_.recipe = *ParseRecipe(recipe, "tiny");
    options_.data_folder = folder_.path("data");
    options_.out_folder = folder_.path("models/tiny/1");
  }

  std::unique_ptr<TrainingRun> Start() const {
    auto run = TrainingRun::Start(options_);
    EXPECT_TRUE(run.ok()) << run.status();
    return *std::move(run);
  }

  // Trains all epochs that are left, and freezes.
  Ended RunToTheEnd() {
    auto run = Start();
    EXPECT_TRUE(run->Train(observer_).ok());
    auto frozen = run->Finish({});
    EXPECT_TRUE(frozen.ok()) << frozen.status();
    return {std::move(run), *std::move(frozen)};
  }

  // Stops after `epochs`, leaving the checkpoint.
  void RunEpochs(int epochs) {
    const auto run = Start();
    for (int epoch = 0; epoch < epochs; ++epoch) {
      ASSERT_TRUE(run->loop().RunEpoch(observer_).ok());
      ASSERT_TRUE(
          WriteCheckpoint(run->folder().checkpoint_path(), options_.threads, run->loop()).ok());
    }
  }

  // A run that stops after so many epochs, for each number, and one that does not.
  void ExpectResumingGivesTheSameBytes(const std::vector<int>& epochs) {
    options_.resume = false;
    RunToTheEnd();
    const std::string uninterrupted = ModelBytes();
    const std::string whole = options_.out_folder;
    for (const int count : epochs) {
      SCOPED_TRACE(count);
      options_.out_folder = whole + "_resumed" + std::to_string(count);
      options_.resume = false;
      RunEpochs(count);
      options_.resume = true;
      RunToTheEnd();
      EXPECT_EQ(ModelBytes(), uninterrupted);
    }
  }

  std::string model_path() const { return options_.out_folder + "/model.lip"; }
  std::string ModelBytes() const { return ReadBytes(model_path()); }

  const TemporaryFolder folder_;
  SilentObserver observer_;
  RunOptions options_;
};

}  // namespace lipserve::trainer

#endif  // TESTS_TRAINER_TINY_TRAINING_H_
