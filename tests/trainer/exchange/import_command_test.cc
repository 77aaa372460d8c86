// SPDX-License-Identifier: Apache-2.0
// Runs lipserve-convert import on the files of other libraries, as a user does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/certified_model.h"
#include "model/network/model_file.h"
#include "tests/temporary_folder.h"
#include "tests/verify/answers.h"
#include "tests/verify/frozen_model_bytes.h"
#include "trainer/data/npz_file.h"

namespace lipserve::exchange {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kCases[] = ONNX_CASES;

struct Result {
  int exit_code = 0;
  std::string output;  // and errors
};

Result Convert(const std::string& arguments) {
  const std::string command = absl::StrCat("'", LIPSERVE_CONVERT, "' ", arguments, " 2>&1");
  FILE* const pipe = popen(command.c_str(), "r");
  Result result;
  std::array<char, 4096> buffer = {};
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) {
    result.output.append(buffer.data(), count);
  }
  result.exit_code = WEXITSTATUS(pclose(pipe));
  return result;
}

Result Import(const std::string& arguments) { return Convert("import " + arguments); }

std::vector<std::string> FilesOf(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(absl::StrCat(kCases, "/", folder))) {
    if (entry.path().extension() == ".onnx") files.push_back(entry.path().string());
  }
  return files;
}

class ImportCommandTest : public ::testing::Test {
 protected:
  std::string Out(const std::string& name) const {
    return absl::StrCat("--out '", folder_.path(name), "/1'");
  }
  std::string Good(const std::string& name) const {
    return absl::StrCat("'", kCases, "/good/", name, ".onnx' ");
  }
  std::string Reference(const std::string& name) const {
    return absl::StrCat(" --reference '", kCases, "/good/", name, ".npz' ");
  }

  const TemporaryFolder folder_;
};

TEST_F(ImportCommandTest, ImportsTheFilesOfAllLibraries) {
  const std::vector<std::string> files = FilesOf("good");
  ASSERT_THAT(files, SizeIs(12));
  for (const std::string& file : files) {
    const std::string name = std::filesystem::path(file).stem().string();
    const Result result = Import(absl::StrCat(Good(name), Out(name), Reference(name)));
    ASSERT_EQ(result.exit_code, 0) << name << ": " << result.output;
    EXPECT_THAT(result.output, AllOf(HasSubstr("other classes than the reference: 0 of 16"),
                                     HasSubstr("proven L2 radii")))
        << name;
    EXPECT_TRUE(ReadModelFile(folder_.path(name + "/1/model.lip")).ok()) << name;
    for (const absl::string_view line : absl::StrSplit(result.output, '\n')) {
      EXPECT_TRUE(line.size() <= 80 || absl::StrContains(line, folder_.path())) << line;
    }
  }
}

// By the independent checker, from the file.
TEST_F(ImportCommandTest, EveryAnswerOfAnImportedModelIsProvenAgain) {
  for (const std::string& file : FilesOf("good")) {
    const std::string name = std::filesystem::path(file).stem().string();
    ASSERT_EQ(Import(absl::StrCat(Good(name), Out(name))).exit_code, 0) << name;
    const auto frozen = ReadModelFile(folder_.path(name + "/1/model.lip"));
    ASSERT_TRUE(frozen.ok()) << frozen.status();
    FrozenModel copy = *frozen;
    const verify::ProvenModel proven = verify::Proven(copy);
    const auto served = CertifiedModel::Create(*frozen, 1);
    ASSERT_TRUE(served.ok()) << served.status();
    const auto worker = (*served)->NewWorker();
    const auto arrays = trainer::ReadNpzFile(absl::StrCat(kCases, "/good/", name, ".npz"));
    ASSERT_TRUE(arrays.ok()) << arrays.status();
    const std::vector<double>& numbers = arrays->at("input").numbers;
    const std::size_t size = (*served)->input_size();
    ASSERT_EQ(numbers.size(), 16 * size) << name;
    for (std::size_t n = 0; n < 16; ++n) {
      const auto begin = numbers.begin() + static_cast<std::ptrdiff_t>(n * size);
      const std::vector<float> input(begin, begin + static_cast<std::ptrdiff_t>(size));
      std::vector<lipserve::Answer> answers(1);
      (*served)->Classify({input.data(), 1, size}, *worker, answers);
      verify::Answer answer =
          verify::AnswerFor(input, answers[0].class_index, mpq_class(answers[0].radius_l2));
      answer.margin = mpq_class(answers[0].margin_lower_bound);
      EXPECT_EQ(verify::AnswerError(proven, answer), "") << name << " " << n;
      answer.radius = answer.radius * 1000 + 1;
      EXPECT_NE(verify::AnswerError(proven, answer), "") << name << " " << n;
    }
  }
}

TEST_F(ImportCommandTest, WhatIsTakenOfTheBadFilesIsProvenAndTheRestIsOneLine) {
  for (const std::string& file : FilesOf("bad")) {
    const std::string name = std::filesystem::path(file).stem().string();
    const Result result = Import(absl::StrCat("'", file, "' ", Out(name)));
    const bool is_there = std::filesystem::exists(folder_.path(name + "/1/model.lip"));
    EXPECT_EQ(is_there, result.exit_code == 0) << name << ": " << result.output;
    if (result.exit_code == 0) continue;
    EXPECT_EQ(result.exit_code, 1) << name << ": " << result.output;
    const std::vector<std::string> lines = absl::StrSplit(result.output, '\n', absl::SkipEmpty());
    EXPECT_THAT(lines, SizeIs(1)) << name;
    EXPECT_THAT(result.output, HasSubstr(name)) << name;
  }
}

TEST_F(ImportCommandTest, WhatWasImportedAndExportedIsImportedToTheSameBytes) {
  for (const std::string& file : FilesOf("good")) {
    const std::string name = std::filesystem::path(file).stem().string();
    ASSERT_EQ(Import(absl::StrCat(Good(name), Out("a/" + name))).exit_code, 0) << name;
    const std::string first = folder_.path("a/" + name + "/1");
    const std::string onnx = folder_.path(name + ".onnx");
    const Result exported = Convert(absl::StrCat("export '", first, "' --out '", onnx, "'"));
    ASSERT_EQ(exported.exit_code, 0) << name << ": " << exported.output;
    const Result again = Import(absl::StrCat("'", onnx, "' ", Out("b/" + name)));
    ASSERT_EQ(again.exit_code, 0) << name << ": " << again.output;
    EXPECT_EQ(ReadBytes(first + "/model.lip"),
              ReadBytes(folder_.path("b/" + name + "/1/model.lip")))
        << name;
  }
}

TEST_F(ImportCommandTest, AModelThatIsThereIsNotReplaced) {
  const std::string arguments = absl::StrCat(Good("plain_default_external"), Out("model"));
  ASSERT_EQ(Import(arguments).exit_code, 0);
  const Result again = Import(arguments);
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.output, HasSubstr("expected no model, got one"));
  EXPECT_EQ(Import(arguments + " --overwrite").exit_code, 0);
}

TEST_F(ImportCommandTest, TheScaleOfPixelsIsWrittenOrNot) {
  const auto divisor = [&](const std::string& flag) {
    EXPECT_EQ(Import(absl::StrCat(Good("skl_logreg"), Out("m" + flag), flag)).exit_code, 0);
    return ReadModelFile(folder_.path("m" + flag + "/1/model.lip"))->pixel_divisor;
  };
  EXPECT_EQ(divisor(" --input-scale=unit"), 255.0);
  EXPECT_EQ(divisor(" --input-scale=pixel"), 1.0);
  EXPECT_EQ(divisor(""), 0.0);
}

TEST_F(ImportCommandTest, LabelsComeFromAFileOfAsManyLines) {
  WriteBytes(folder_.path("labels.txt"), "zero\neight\n");
  const std::string labels = absl::StrCat(" --labels '", folder_.path("labels.txt"), "' ");
  ASSERT_EQ(Import(absl::StrCat(Good("torchlip_mnist08_dyn"), Out("two"), labels)).exit_code, 0);
  EXPECT_THAT(ReadModelFile(folder_.path("two/1/model.lip"))->class_labels,
              ::testing::ElementsAre("zero", "eight"));
  const Result other = Import(absl::StrCat(Good("plain_default_external"), Out("ten"), labels));
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.output, HasSubstr("expected 10 labels, one a line, got 2"));
}

TEST_F(ImportCommandTest, VectorsAreServedAsImagesIfTheirShapeIsGiven) {
  ASSERT_EQ(Import(absl::StrCat(Good("skl_logreg"), Out("m"), " --input-shape 1,28,28")).exit_code,
            0);
  EXPECT_EQ(ReadModelFile(folder_.path("m/1/model.lip"))->network.input_shape,
            (SampleShape{1, 28, 28}));
}

TEST_F(ImportCommandTest, AReferenceOfAnotherModelShows) {
  const Result result = Import(
      absl::StrCat(Good("plain_default_external"), Out("m"), Reference("torchlip_mnist08_dyn")));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.output, HasSubstr("expected an array `output` of"));
}

}  // namespace
}  // namespace lipserve::exchange
