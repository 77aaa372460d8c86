// SPDX-License-Identifier: Apache-2.0
// From a running server through the client's certificate file to the checker.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "client/classify_command.h"
#include "client/verify/verify_command.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

constexpr std::size_t kImages = 50;

class ServerToVerifyTest : public ::testing::Test {
 protected:
  // Classifies the images in `input` in both precisions and verifies the answers.
  void ExpectAccepted(const std::string& input) {
    for (const auto precision : {v1::RADIUS_PRECISION_TIGHT, v1::RADIUS_PRECISION_FAST}) {
      ExpectAccepted(input, precision);
    }
  }

  void ExpectAccepted(const std::string& input, v1::RadiusPrecision precision) {
    const ClassifierClient client(
        {.address = "127.0.0.1:" + std::to_string(server_.server().grpc_address().port)});
    std::istringstream in;
    std::ostringstream out;
    const absl::Status classified = RunClassify(client,
                                                {.ask = {.radius_precision = precision},
                                                 .input = {.inputs = {input}},
                                                 .certificate_path = certificate_},
                                                {}, in, out);
    ASSERT_TRUE(classified.ok()) << classified;
    const absl::Status verified = verify::RunVerify(
        {.model = model_, .certificate = certificate_, .told = std::nullopt}, out, out);
    EXPECT_TRUE(verified.ok()) << verified << '\n' << out.str();
    EXPECT_NE(out.str().find("50 of 50 hold"), std::string::npos) << out.str();
  }

  std::string PathOf(const char* name) const {
    return std::filesystem::path(folder_.path()) / name;
  }

  TemporaryFolder models_;
  TemporaryFolder folder_;
  std::string model_ = models_.Add("small", "1", SmallModel());
  std::string certificate_ = PathOf("answers.json");
  TestServer server_{TestOptions(models_)};
};

TEST_F(ServerToVerifyTest, EveryAnswerForFloatsIsAccepted) {
  const std::vector<float> inputs = RandomInputs(1, kImages);
  const std::string path = PathOf("inputs.f32");
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(inputs.data()),
             static_cast<std::streamsize>(inputs.size() * sizeof(float)));
  ExpectAccepted(path);
}

TEST_F(ServerToVerifyTest, EveryAnswerForPixelsIsAccepted) {
  const std::string path = PathOf("images-idx3-ubyte");
  std::string bytes = {0, 0, 8, 3, 0, 0, 0, static_cast<char>(kImages), 0, 0, 0, 4, 0, 0, 0, 4};
  for (const float x : RandomInputs(2, kImages)) {
    bytes += static_cast<char>(static_cast<unsigned char>(255.0F * x));
  }
  std::ofstream(path, std::ios::binary) << bytes;
  ExpectAccepted(path);
}

}  // namespace
}  // namespace lipserve
