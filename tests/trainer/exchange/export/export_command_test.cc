// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/export/export_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "model/certificate/network_bounds.h"
#include "tests/model/network_fixtures.h"
#include "tests/temporary_folder.h"
#include "trainer/exchange/export/export_onnx.h"

namespace lipserve::exchange {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ExportCommandTest : public ::testing::Test {
 protected:
  ExportCommandTest() {
    std::filesystem::create_directories(folder_.path("models/tiny/1"));
    EXPECT_TRUE(WriteModelFile(model_path_, model_).ok());
  }

  // The message of an export that fails and leaves nothing behind.
  std::string ErrorOf(const std::string& model, const std::string& out,
                      absl::StatusCode code) const {
    const absl::Status status = ExportModel({.model = model, .out = out});
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(Files(), ::testing::UnorderedElementsAre("models"));
    return std::string(status.message());
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  const TemporaryFolder folder_;
  const std::string version_ = folder_.path("models/tiny/1");
  const std::string model_path_ = version_ + "/model.lip";
  const std::string out_ = folder_.path("tiny.onnx");
  FrozenModel model_ = ModelOf(RandomNetwork(1, {12, 8, 2}));
};

TEST_F(ExportCommandTest, WritesTheModelOfAFolderOrAFile) {
  const std::string expected = *OnnxBytes(model_, *NetworkBounds::Create(model_.network));
  for (const std::string& model : {version_, version_ + "/", model_path_}) {
    const absl::Status status = ExportModel({.model = model, .out = out_});
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(ReadBytes(out_), expected);
    EXPECT_THAT(Files(), ::testing::UnorderedElementsAre("models", "tiny.onnx"));
    std::filesystem::remove(out_);
  }
}

TEST_F(ExportCommandTest, ReplacesAnEarlierFile) {
  WriteBytes(out_, "old");
  EXPECT_TRUE(ExportModel({.model = version_, .out = out_}).ok());
  EXPECT_EQ(ReadBytes(out_), *OnnxBytes(model_, *NetworkBounds::Create(model_.network)));
}

TEST_F(ExportCommandTest, RefusesToReplaceAModelOrAFolder) {
  const std::string before = ReadBytes(model_path_);
  for (const std::string& out : {model_path_, version_, folder_.path("tiny")}) {
    EXPECT_EQ(ErrorOf(version_, out, absl::StatusCode::kInvalidArgument),
              "--out: expected a file whose name ends in .onnx, got " + out);
  }
  std::filesystem::create_directory(folder_.path("models/x.onnx"));
  EXPECT_THAT(ErrorOf(version_, folder_.path("models/x.onnx"), absl::StatusCode::kInvalidArgument),
              HasSubstr("got a folder"));
  EXPECT_EQ(ReadBytes(model_path_), before);
}

TEST_F(ExportCommandTest, NamesWhatIsNotThere) {
  EXPECT_EQ(ErrorOf(folder_.path("models/tiny"), out_, absl::StatusCode::kNotFound),
            folder_.path("models/tiny") +
                ": expected a folder with a model.lip, got one without; name models/NAME/VERSION");
  EXPECT_THAT(ErrorOf(folder_.path("nothing"), out_, absl::StatusCode::kNotFound),
              AllOf(HasSubstr(folder_.path("nothing")), HasSubstr("No such file")));
  EXPECT_EQ(ErrorOf(version_, folder_.path("nothing/x.onnx"), absl::StatusCode::kNotFound),
            "--out: expected a folder that is there, got " + folder_.path("nothing") + "; make it");
}

TEST_F(ExportCommandTest, NamesAFolderThatCannotBeWritten) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  std::filesystem::create_directory(folder_.path("models/locked"));
  ASSERT_EQ(chmod(folder_.path("models/locked").c_str(), 0555), 0);
  EXPECT_THAT(ErrorOf(version_, folder_.path("models/locked/x.onnx"),
                      absl::StatusCode::kFailedPrecondition),
              HasSubstr("expected a folder that can be written, got"));
}

TEST_F(ExportCommandTest, RefusesADamagedModel) {
  std::string bytes = ReadBytes(model_path_);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  WriteBytes(model_path_, bytes);
  EXPECT_FALSE(ExportModel({.model = version_, .out = out_}).ok());
  EXPECT_THAT(Files(), ::testing::UnorderedElementsAre("models"));
}

TEST_F(ExportCommandTest, RefusesAModelAboveTheBudgetBeforeProvingIt) {
  const absl::Status status =
      ExportModel({.model = version_, .out = out_, .budget = {.operations = 1.0, .bytes = 1e9}});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("--max-load-operations"));
}

TEST_F(ExportCommandTest, IsASubcommand) {
  CLI::App app("", "lipserve-convert");
  const auto run = AddExportCommand(app);
  app.parse("export " + version_ + " --out " + out_);
  EXPECT_TRUE(run().ok());
  EXPECT_TRUE(std::filesystem::exists(out_));
  EXPECT_THROW(app.parse("export " + version_), CLI::ParseError);
}

}  // namespace
}  // namespace lipserve::exchange
