// SPDX-License-Identifier: Apache-2.0
// lipserve-client as people and scripts use it, against a real server.
#include <csignal>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "client/classifier_client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/demo_fixture.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

class ClientProgramTest : public DemoFixture {
 protected:
  // Runs a command against the suite's server.
  static FinishedProgram Client(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--server", service().grpc_address(), "--timeout", "60s"});
    return RunClient(arguments);
  }

  const std::string images_ = SourcePath("data/mnist/t10k-images-idx3-ubyte.gz");
  const std::string labels_ = SourcePath("data/mnist/t10k-labels-idx1-ubyte.gz");
};

std::vector<nlohmann::json> JsonLines(const std::string& text) {
  std::istringstream stream(text);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false));
  }
  return lines;
}

TEST_F(ClientProgramTest, ClassifyPrintsOneJsonObjectPerImage) {
  const FinishedProgram run =
      Client({"classify", "--json", "--model", "mnist08", "--input", images_, "--labels", labels_,
              "--only-labels", "0,8", "--limit", "300", "--epsilon", "255"});
  ASSERT_EQ(run.exit_code, 0) << run.error;
  EXPECT_EQ(run.error, "");
  const auto lines = JsonLines(run.output);
  ASSERT_EQ(lines.size(), 300U);
  EXPECT_EQ(lines[0]["index"], 3);  // the first 0 or 8 among the test images
  for (const nlohmann::json& line : lines) {
    ASSERT_TRUE(line.is_object());
    EXPECT_EQ(line["model"], "mnist08");
    EXPECT_EQ(line["radius_unit"], "pixel");
    const double radius = std::strtod(line["radius_l2_hex"].get<std::string>().c_str(), nullptr);
    EXPECT_LE(line["radius_l2"].get<double>(), radius);
    EXPECT_EQ(line["certified_at_epsilon"].get<bool>(), radius >= 255.0);
    EXPECT_EQ(line["radius_precision"], "tight");
    EXPECT_LE(line["pixel_radius_squared"].get<double>(), radius * radius);
    EXPECT_GT(line["pixel_radius_squared"].get<double>() + 1.0, radius * radius * (1.0 - 1e-15));
  }
}

TEST_F(ClientProgramTest, FastRadiiAreSmallerForTheSameClasses) {
  const auto ask = [&](const std::string& precision) {
    return JsonLines(
        Client({"classify", "--json", images_ + "[0:50]", "--radius-precision", precision}).output);
  };
  const auto tight = ask("tight");
  const auto fast = ask("fast");
  ASSERT_EQ(fast.size(), 50U);
  ASSERT_EQ(tight.size(), 50U);
  for (std::size_t i = 0; i < fast.size(); ++i) {
    EXPECT_EQ(fast[i]["radius_precision"], "fast");
    EXPECT_EQ(fast[i]["class"], tight[i]["class"]);
    EXPECT_LE(fast[i]["radius_l2"].get<double>(), tight[i]["radius_l2"].get<double>());
  }
}

TEST_F(ClientProgramTest, PeopleGetATableOrADrawing) {
  const FinishedProgram table = Client({"classify", images_ + "[3]", "--labels", labels_});
  EXPECT_EQ(table.exit_code, 0) << table.error;
  EXPECT_THAT(table.output, HasSubstr("t10k-images-idx3-ubyte.gz[3]"));
  EXPECT_EQ(
      Client({"classify", "--only-labels", "0,8", "--labels", labels_, images_ + "[:5]"}).exit_code,
      0)
      << "--labels must not swallow the input behind it";
  const FinishedProgram drawing = Client({"classify", images_ + "[3]", "--draw"});
  EXPECT_EQ(drawing.exit_code, 0) << drawing.error;
  EXPECT_THAT(drawing.output, HasSubstr("radius "));
}

TEST_F(ClientProgramTest, InspectionCommandsSucceed) {
  const FinishedProgram describe = Client({"describe"});
  EXPECT_EQ(describe.exit_code, 0) << describe.error;
  EXPECT_THAT(describe.output, HasSubstr("dense 784 -> 32"));
  const auto json = JsonLines(Client({"describe", "--json"}).output);
  ASSERT_EQ(json.size(), 1U);
  EXPECT_EQ(json[0]["recipe"]["epochs"], "1");
  EXPECT_THAT(Client({"models"}).output, HasSubstr("mnist08"));
  const FinishedProgram health = Client({"health"});
  EXPECT_EQ(health.exit_code, 0) << health.error;
  EXPECT_THAT(health.output, HasSubstr("SERVING"));
}

TEST_F(ClientProgramTest, WhatTheServerRefusesExitsWithOneAndItsReason) {
  const FinishedProgram unknown = Client({"classify", "--model", "nothing", images_ + "[0]"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_EQ(unknown.output, "");
  EXPECT_THAT(unknown.error, HasSubstr("NOT_FOUND"));
  EXPECT_THAT(unknown.error, HasSubstr("nothing"));
  const FinishedProgram version = Client({"describe", "--model-version", "99"});
  EXPECT_EQ(version.exit_code, 1);
  EXPECT_THAT(version.error, HasSubstr("99"));
  EXPECT_EQ(Client({"classify", images_ + "[0]", "--request-id", std::string(129, 'x')}).exit_code,
            1);
}

TEST_F(ClientProgramTest, WhatIsNoImageExitsWithOneAndSaysExpectedAndGot) {
  const FinishedProgram shape = Client({"classify", labels_});
  EXPECT_EQ(shape.exit_code, 1);
  EXPECT_THAT(shape.error, HasSubstr("expected 1x28x28 as the model takes, got"));
  const FinishedProgram range = Client({"classify", images_ + "[10000]"});
  EXPECT_EQ(range.exit_code, 1);
  EXPECT_THAT(range.error, HasSubstr("the file has 10000"));
}

TEST_F(ClientProgramTest, CallsDuringADrainAreAnsweredOrUnavailableAndTheServerExitsWithZero) {
  auto service = DemoService::Start();
  ASSERT_TRUE(service.ok()) << service.status();
  const ClassifierClient client(
      {.address = (*service)->grpc_address(), .timeout = absl::Seconds(60)});
  v1::ImageBatch image;
  image.set_element_type(v1::ELEMENT_TYPE_UINT8);
  for (const std::int64_t axis : {1, 1, 28, 28}) image.add_shape(axis);
  image.set_data(std::string(784, '\0'));
  int answered = 0;
  absl::Status refused;
  while (refused.ok()) {
    const auto answer = client.Classify(image, {});
    refused = answer.status();
    if (answer.ok() && ++answered == 10) (*service)->server().Signal(SIGTERM);
  }
  EXPECT_GE(answered, 10);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable) << refused;
  EXPECT_EQ((*service)->server().WaitForExit(), 0) << (*service)->server().StandardError();
}

TEST_F(ClientProgramTest, AKilledServerIsAClearError) {
  auto service = DemoService::Start();
  ASSERT_TRUE(service.ok()) << service.status();
  (*service)->server().Signal(SIGKILL);
  (*service)->server().WaitForExit();
  const FinishedProgram health = RunClient({"health", "--server", (*service)->grpc_address()});
  EXPECT_EQ(health.exit_code, 1);
  EXPECT_THAT(health.error, HasSubstr((*service)->grpc_address()));
  EXPECT_THAT(health.error, HasSubstr("is lipserve-server running there?"));
}

TEST(ClientUsageTest, WrongUsageExitsWithTwo) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"dance"},
      {"classify"},
      {"classify", "a.gz", "--no-such-flag"},
      {"classify", "a.gz", "--epsilon", "-1"},
      {"classify", "a.gz", "--epsilon", "nan"},
      {"classify", "a.gz", "--timeout", "soon"},
      {"classify", "a.gz", "--timeout", "-1s"},
      {"classify", "a.gz", "--limit", "0"},
      {"classify", "a.gz", "--radius-precision", "exact"},
      {"classify", "a.gz", "--server", "127.0.0.1:8001,somewhere:8001"},
      {"classify", "a.gz", "--model-label", "canary", "--model-version", "2"},
      {"classify", "a.gz", "--color", "blue"},
      {"classify", "a.gz", "--json", "--draw"},
      {"describe", "--model-version", "-1"},
  };
  for (const auto& arguments : wrong) {
    const FinishedProgram run = RunClient(arguments);
    EXPECT_EQ(run.exit_code, 2) << run.output << run.error;
    EXPECT_EQ(run.output, "");
    EXPECT_NE(run.error, "");
  }
}

TEST(ClientUsageTest, HelpAndVersionExitWithZero) {
  const FinishedProgram help = RunClient({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.output, HasSubstr("Examples:"));
  for (const std::string command : {"classify", "load", "describe", "models", "health"}) {
    const FinishedProgram of_command = RunClient({command, "--help"});
    EXPECT_EQ(of_command.exit_code, 0);
    for (const auto line : absl::StrSplit(of_command.output, '\n')) {
      EXPECT_LE(line.size(), 80U) << line;
    }
    // Only commands that take images explain them.
    EXPECT_EQ(of_command.output.find("FILE[0:10]") != std::string::npos,
              command == "classify" || command == "load");
  }
  const FinishedProgram version = RunClient({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.output, HasSubstr("lipserve-client "));
}

}  // namespace
}  // namespace lipserve
