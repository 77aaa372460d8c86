// SPDX-License-Identifier: Apache-2.0
// Runs the program itself, as a user does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "tests/trainer/tiny_experiment.h"
#include "tests/trainer/train_process.h"

namespace lipserve::trainer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Result {
  int exit_code = 0;
  std::string output;
  std::string error;
};

class LipserveTrainTest : public ::testing::Test {
 protected:
  LipserveTrainTest() {
    WriteTinyDataset(folder_.path("data"));
    WriteBytes(folder_.path("tiny.textproto"), TinyRecipeText());
  }

  Result Run(const std::vector<std::string>& arguments) const {
    TrainProcess process(arguments, folder_.path("stderr"));
    Result result;
    result.output = process.ReadAll();
    result.exit_code = process.ExitCode();
    result.error = ReadBytes(folder_.path("stderr"));
    return result;
  }

  std::vector<std::string> TrainArguments(const std::string& out,
                                          const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {
        "train", "--recipe",       folder_.path("tiny.textproto"), "--data", folder_.path("data"),
        "--out", folder_.path(out)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  std::string ModelBytes(const std::string& out) const {
    return ReadBytes(folder_.path(out + "/model.lip"));
  }

  // Runs until `lines` lines have been read, kills, resumes with `resume`, and returns model.lip.
  std::string KillAfterLines(int lines, const std::string& out,
                             const std::vector<std::string>& flags) const {
    {
      TrainProcess process(TrainArguments(out, flags), folder_.path("stderr"));
      for (int i = 0; i < lines; ++i) EXPECT_NE(process.ReadLine(), "");
      EXPECT_TRUE(process.Kill());
    }
    EXPECT_EQ(ModelBytes(out), "");
    std::vector<std::string> resume = flags;
    resume.push_back("--resume");
    const Result result = Run(TrainArguments(out, resume));
    EXPECT_EQ(result.exit_code, 0) << result.error;
    return ModelBytes(out);
  }

  const TemporaryFolder folder_;
};

TEST_F(LipserveTrainTest, TrainsFreezesAndEvaluates) {
  const Result train = Run(TrainArguments("out"));
  EXPECT_EQ(train.exit_code, 0) << train.error;
  EXPECT_THAT(train.error, StartsWith("note: lipserve-server serves"));  // no version in --out
  EXPECT_THAT(
      train.output,
      AllOf(StartsWith("train set size: 600 samples, classes proportions: 50.000 percent\n"
                       "test set size: 100 samples, classes proportions: 50.000 percent\n"),
            HasSubstr("Model: \"tiny\""), HasSubstr("\nmemory: at most "),
            HasSubstr("\ntime: about "), HasSubstr(": 3 epochs of "), HasSubstr("\nEpoch 3/3 - "),
            HasSubstr("val_accuracy: "), HasSubstr("model.lip written, "),
            HasSubstr("SHA-256 of the file, as sha256sum shows it:\n  ")));
  const Result evaluate = Run({"evaluate", "--model", folder_.path("out"), "--data",
                               folder_.path("data"), "--attack", "--attack-images", "100"});
  EXPECT_EQ(evaluate.exit_code, 0) << evaluate.error;
  // What training reported of the frozen model, to the letter.
  const std::string table = train.output.substr(train.output.find("100 samples   "));
  EXPECT_THAT(evaluate.output, ::testing::EndsWith(table));
}

TEST_F(LipserveTrainTest, TrainsAndEvaluatesMoreThanTwoClasses) {
  WriteBytes(folder_.path("tiny.textproto"),
             TinyMulticlassRecipeText("multi_margin { min_margin: 1 }"));
  const Result train = Run(TrainArguments("out"));
  EXPECT_EQ(train.exit_code, 0) << train.error;
  EXPECT_THAT(train.output, AllOf(HasSubstr("loss: MultiMargin(min_margin=1)"),
                                  HasSubstr("classes proportions: 33.333, 33.333, 33.333 percent"),
                                  HasSubstr("val_accuracy: ")));
  const Result evaluate = Run({"evaluate", "--model", folder_.path("out"), "--data",
                               folder_.path("data"), "--attack", "--attack-images", "100"});
  EXPECT_EQ(evaluate.exit_code, 0) << evaluate.error;
  const std::string table = train.output.substr(train.output.find("150 samples   "));
  EXPECT_THAT(evaluate.output, ::testing::EndsWith(table));
}

TEST_F(LipserveTrainTest, SpeaksJsonLinesOnStandardOutputOnly) {
  const Result result = Run(TrainArguments("out", {"--json"}));
  EXPECT_EQ(result.exit_code, 0) << result.error;
  std::vector<std::string> events;
  std::istringstream lines(result.output);
  for (std::string line; std::getline(lines, line);) {
    events.push_back(nlohmann::json::parse(line)["event"]);
  }
  EXPECT_THAT(events, ::testing::ElementsAre("start", "plan", "epoch", "epoch", "epoch", "model"));
  const Result evaluate = Run({"evaluate", "--json", "--epsilons", "0.5,1", "--model",
                               folder_.path("out/model.lip"), "--data", folder_.path("data")});
  const auto json = nlohmann::json::parse(evaluate.output);
  EXPECT_EQ(json["certified_accuracy"].size(), 2u);
  EXPECT_EQ(json["certified_accuracy"][1]["epsilon"], 1.0);
}

TEST_F(LipserveTrainTest, ResumingAfterKillMinusNineEndsInTheBytesOfTheUninterruptedRun) {
  // Enough epochs that the pipe is full, and the program waiting, long before the last.
  const std::vector<std::string> flags = {"--json", "--epochs", "60"};
  ASSERT_EQ(Run(TrainArguments("whole", flags)).exit_code, 0);
  const std::string uninterrupted = ModelBytes("whole");
  ASSERT_NE(uninterrupted, "");
  // After 0 lines: while it starts; 1: data loaded; 2: rehearsed; then in the midst of epochs.
  for (const int lines : {0, 1, 2, 3, 4, 8, 20}) {
    SCOPED_TRACE(lines);
    EXPECT_EQ(KillAfterLines(lines, "killed" + std::to_string(lines), flags), uninterrupted);
  }
}

TEST_F(LipserveTrainTest, SurvivesBeingKilledAgainAndAgain) {
  const std::vector<std::string> flags = {"--json", "--epochs", "60", "--resume"};
  ASSERT_EQ(Run(TrainArguments("whole", flags)).exit_code, 0);
  for (int round = 0; round < 6; ++round) {
    TrainProcess process(TrainArguments("killed", flags), folder_.path("stderr"));
    for (int i = 0; i < 3; ++i) EXPECT_NE(process.ReadLine(), "");
    EXPECT_TRUE(process.Kill());
  }
  ASSERT_EQ(Run(TrainArguments("killed", flags)).exit_code, 0);
  EXPECT_EQ(ModelBytes("killed"), ModelBytes("whole"));
}

TEST_F(LipserveTrainTest, SaysThatAFinishedRunIsFinished) {
  ASSERT_EQ(Run(TrainArguments("out")).exit_code, 0);
  const std::string before = ModelBytes("out");
  const Result again = Run(TrainArguments("out", {"--resume"}));
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.output, HasSubstr("this run is finished, there is nothing to resume"));
  EXPECT_EQ(ModelBytes("out"), before);
}

TEST_F(LipserveTrainTest, OverridesSeedAndEpochsOfTheRecipe) {
  const Result result = Run(TrainArguments("out", {"--seed", "3", "--epochs", "1"}));
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_THAT(result.output, AllOf(HasSubstr("seed: 3"), HasSubstr("Epoch 1/1 - ")));
}

TEST_F(LipserveTrainTest, SummaryCountsTheParametersOfTheDemoPage) {
  const Result result = Run({"summary", "--recipe", RECIPE_FOLDER "/mnist08.textproto"});
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_THAT(
      result.output,
      AllOf(HasSubstr("Trainable params: 25,664\n"), HasSubstr("(None, 784)"),
            HasSubstr("layer1 (SpectralDense)                (None, 32)                25,120")));
}

TEST_F(LipserveTrainTest, HelpAndVersionExitWithZero) {
  const Result help = Run({"train", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.output, AllOf(HasSubstr("--recipe"), HasSubstr("Example:")));
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"--help"}, {"train", "--help"}, {"evaluate", "--help"}, {"summary", "--help"}}) {
    for (const auto line : absl::StrSplit(Run(command).output, '\n')) {
      EXPECT_LE(line.size(), 80U) << line;
    }
  }
  EXPECT_THAT(help.output, HasSubstr("Epochs, in place of the recipe's (1 to 1000000)\n"));
  const Result version = Run({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.output, "lipserve-train " LIPSERVE_VERSION "\n");
}

TEST_F(LipserveTrainTest, WrongUseExitsWithTwoAndSaysWhatWasMeant) {
  struct Misuse {
    std::vector<std::string> arguments;
    std::string hint;
  };
  const std::vector<Misuse> misuses = {
      {{}, "A subcommand is required"},
      {{"trian"}, "did you mean train?"},
      {{"train", "--out", "x", "--data", "y"}, "--recipe is required"},
      {TrainArguments("out", {"--overwritte"}), "did you mean --overwrite?"},
      {TrainArguments("out", {"--threads", "0"}), "--threads: "},
      {TrainArguments("out", {"--seed", "minus"}), "--seed"},
      {TrainArguments("out", {"--epochs", "-3"}), "--epochs"},
      {TrainArguments("out", {"--resume", "--overwrite"}), "excludes"},
      {{"evaluate", "--model", "m", "--data", "d", "--epsilons", "nan"}, "finite number"},
      {{"evaluate", "--model", "m", "--data", "d", "--epsilons", "1,-1"}, "finite number"},
  };
  for (const Misuse& misuse : misuses) {
    SCOPED_TRACE(misuse.hint);
    const Result result = Run(misuse.arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.output, "");
    EXPECT_THAT(result.error, HasSubstr(misuse.hint));
  }
}

TEST_F(LipserveTrainTest, FailuresExitWithOneAndNameThePlace) {
  struct Failure {
    std::vector<std::string> arguments;
    std::string message;
  };
  WriteBytes(folder_.path("bad.textproto"), "nam: \"x\"");
  WriteBytes(folder_.path("file"), "");
  std::vector<std::string> bad_recipe = TrainArguments("out");
  bad_recipe[2] = folder_.path("bad.textproto");
  // Wrong only for the 8 units before it.
  std::string text = TinyRecipeText();
  text.replace(text.find("group_size: 2"), 13, "group_size: 3");
  WriteBytes(folder_.path("groups.textproto"), text);
  std::vector<std::string> bad_groups = TrainArguments("out");
  bad_groups[2] = folder_.path("groups.textproto");
  std::vector<std::string> no_data = TrainArguments("out");
  no_data[4] = folder_.path("nowhere");
  const std::vector<Failure> failures = {
      {bad_recipe, "bad.textproto:1:4: "},
      {bad_groups,
       "groups.textproto:5:23: layers[2].group_sort.group_size: expected at least 2 and"},
      {{"summary", "--recipe", folder_.path("groups.textproto"), "--input-shape", "1,8,8"},
       "groups.textproto:5:23: layers[2].group_sort.group_size: expected at least 2 and"},
      {no_data, "nowhere: expected train-images-idx3-ubyte"},
      {TrainArguments("file/out"), "file/out: cannot create: Not a directory"},
      {{"evaluate", "--model", folder_.path("none.lip"), "--data", folder_.path("data")},
       "none.lip"},
      {{"evaluate", "--model", folder_.path("bad.textproto"), "--data", folder_.path("data")},
       "bad.textproto"},
  };
  for (const Failure& failure : failures) {
    const Result result = Run(failure.arguments);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.output, "");
    EXPECT_THAT(result.error, AllOf(StartsWith("lipserve-train "), HasSubstr(failure.message)));
  }
}

}  // namespace
}  // namespace lipserve::trainer
