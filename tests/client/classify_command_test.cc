// SPDX-License-Identifier: Apache-2.0
#include "client/classify_command.h"

#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/client/fake_classifier_server.h"
#include "tests/client/test_files.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

// Five images of 1x4x4; image i is filled with 10 i.
class ClassifyCommandTest : public ::testing::Test {
 protected:
  ClassifyCommandTest() {
    std::vector<std::uint8_t> pixels;
    for (int i = 0; i < 5; ++i) pixels.insert(pixels.end(), 16, static_cast<std::uint8_t>(10 * i));
    WriteGzip(images_, IdxBytes({5, 4, 4}, pixels));
  }

  absl::Status Run(const ClassifyFlags& flags) {
    return RunClassify(ClassifierClient({.address = server_.address()}), flags, {}, in_, out_);
  }

  TemporaryFolder folder_;
  std::string images_ = folder_.path("images.gz");
  FakeClassifierServer server_;
  std::istringstream in_;
  std::ostringstream out_;
};

TEST_F(ClassifyCommandTest, PrintsOneJsonObjectPerImageInOrder) {
  const auto status = Run({.input = {.inputs = {images_ + "[1:4]"}}, .form = OutputForm::kJson});
  ASSERT_TRUE(status.ok()) << status;
  std::istringstream lines(out_.str());
  int index = 1;
  for (std::string line; std::getline(lines, line); ++index) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["index"], index);
    EXPECT_EQ(json["radius_l2"], 10.0 * index);
  }
  EXPECT_EQ(index, 4);
}

TEST_F(ClassifyCommandTest, AsksTheVersionThatWasDescribedInCallsTheServerAllows) {
  ASSERT_TRUE(Run({.input = {.inputs = {images_}}}).ok());
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 3U);  // the sample model takes two images per call
  EXPECT_EQ(requests[0].model_version(), 3);
  EXPECT_EQ(requests[0].model_name(), "mnist08");
}

TEST_F(ClassifyCommandTest, PrintsTableOrDrawing) {
  ASSERT_TRUE(Run({.input = {.inputs = {images_}}}).ok());
  EXPECT_THAT(out_.str(), HasSubstr("images.gz[4]  zero"));
  ASSERT_TRUE(Run({.input = {.inputs = {images_}}, .form = OutputForm::kDrawing}).ok());
  EXPECT_THAT(out_.str(), HasSubstr("radius 40.00 px"));
}

TEST_F(ClassifyCommandTest, RecordsACertificateOfEveryAnswer) {
  const std::string path = folder_.path("answers.json");
  ASSERT_TRUE(Run({.input = {.inputs = {images_}}, .certificate_path = path}).ok());
  const auto json = nlohmann::json::parse(ReadBytes(path));
  ASSERT_EQ(json["answers"].size(), 5U);
  EXPECT_EQ(json["answers"][3]["certified_radius_l2_hex"], "0x1.ep+4");  // 30
  EXPECT_EQ(
      Run({.input = {.inputs = {images_}}, .certificate_path = folder_.path("none/x")}).code(),
      absl::StatusCode::kInternal);
}

TEST_F(ClassifyCommandTest, FailsWithoutPrintingAnything) {
  EXPECT_EQ(Run({.query = {.model = {.name = "other"}}, .input = {.inputs = {images_}}}).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(Run({.input = {.inputs = {folder_.path("none")}}}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(out_.str(), "");
}

}  // namespace
}  // namespace lipserve
