// SPDX-License-Identifier: Apache-2.0
// From a running server through the client's certificate file to the checker.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <ostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "client/classify_command.h"
#include "client/verify/verify_command.h"
#include "tests/model/network_fixtures.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

constexpr std::size_t kImages = 50;

struct Served {
  const char* name;
  FrozenModel (*model)();
};

void PrintTo(const Served& served, std::ostream* out) { *out << served.name; }

class ServerToVerifyTest : public ::testing::TestWithParam<Served> {
 protected:
  std::vector<float> RandomPixels(std::uint64_t seed) const {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
    std::vector<float> pixels(kImages * shape_.size());
    for (float& pixel : pixels) pixel = uniform(random);
    return pixels;
  }

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
                                                {.query = {.radius_precision = precision},
                                                 .input = {.inputs = {input}},
                                                 .certificate_path = certificate_},
                                                {}, in, out);
    ASSERT_TRUE(classified.ok()) << classified;
    const absl::Status verified = verify::RunVerify(
        {.model = model_, .certificate = certificate_, .from_flags = std::nullopt}, out, out);
    EXPECT_TRUE(verified.ok()) << verified << '\n' << out.str();
    EXPECT_NE(out.str().find("50 of 50 hold"), std::string::npos) << out.str();
  }

  TemporaryModels models_;
  TemporaryFolder folder_;
  FrozenModel served_ = GetParam().model();
  SampleShape shape_ = served_.network.input_shape;
  std::string model_ = models_.Add("small", "1", served_);
  std::string certificate_ = folder_.path("answers.json");
  TestServer server_{TestOptions(models_)};
};

TEST_P(ServerToVerifyTest, EveryAnswerForFloatsIsAccepted) {
  const std::vector<float> inputs = RandomPixels(1);
  const std::string path = folder_.path("inputs.f32");
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(inputs.data()),
             static_cast<std::streamsize>(inputs.size() * sizeof(float)));
  ExpectAccepted(path);
}

TEST_P(ServerToVerifyTest, EveryAnswerForPixelsIsAccepted) {
  const std::string path = folder_.path("images-idx3-ubyte");
  std::string bytes = {0, 0, 8, 3};
  for (const std::size_t extent : {kImages, shape_.height, shape_.width}) {
    bytes += {0, 0, 0, static_cast<char>(extent)};
  }
  for (const float x : RandomPixels(2)) {
    bytes += static_cast<char>(static_cast<unsigned char>(255.0F * x));
  }
  std::ofstream(path, std::ios::binary) << bytes;
  ExpectAccepted(path);
}

INSTANTIATE_TEST_SUITE_P(
    Models, ServerToVerifyTest,
    ::testing::Values(
        Served{"dense", [] { return SmallModel(); }},
        Served{"with_prototypes",
               [] { return ModelOf(WithPrototypes(SmallModel().network, 1, 5)); }},
        Served{"convolutional", [] { return ModelOf(RandomImageNetwork(1, 3, false)); }},
        Served{"with_l2_norm_pool", [] { return ModelOf(RandomImageNetwork(1, 3, true)); }},
        Served{"with_activations", [] { return ModelOf(RandomActivationNetwork(1, 3)); }},
        Served{"with_potentials", [] { return ModelOf(RandomPotentialNetwork(1, 3)); }}),
    [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace lipserve
