// SPDX-License-Identifier: Apache-2.0
// The attacks against a running server. Runs the same code as soundness_attack.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "model/execution/onednn.h"
#include "server/server.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/orthonormal_rows.h"
#include "tests/soundness/attacks.h"

namespace lipserve {
namespace {

// A gradient-norm-preserving network like the demo's: its certificates are tight, so an attack that
// is any good comes within rounding of the radius.
FrozenNetwork TightNetwork(std::uint64_t seed, std::vector<std::size_t> sizes) {
  std::mt19937_64 random(seed);
  FrozenNetwork network = RandomNetwork(seed, sizes);
  network.input_shape = {.channels = 1, .height = 28, .width = 28};
  for (FrozenLayer& layer : network.layers) {
    auto* dense = std::get_if<DenseLayer>(&layer);
    if (dense == nullptr) continue;
    dense->weights = OrthonormalRows(random, dense->outputs, dense->inputs);
    dense->claimed_operator_norm_bound =
        *BoundOperatorNorm({dense->weights.data(), dense->outputs, dense->inputs});
  }
  return network;
}

class SoundnessTest : public ::testing::Test {
 protected:
  void Serve(FrozenNetwork network) {
    onednn::UseStrictFloat32();
    folder_ = ::testing::TempDir() + "soundness_" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_ + "/attacked/1");
    file_ = folder_ + "/attacked/1/model.lip";
    FrozenModel model = ModelOf(std::move(network));
    ASSERT_TRUE(WriteModelFile(file_, model).ok());
    ServerOptions options;
    options.models_folder = folder_;
    options.grpc.port = 0;
    options.http.port = 0;
    auto server = Server::Start(options, clock_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    ASSERT_TRUE(server_->WaitUntilServing().ok());
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  // Attacks random images until there are `candidates` in-ball ones.
  AttackTally::Row Attack(std::uint64_t candidates) {
    const std::string address = "127.0.0.1:" + std::to_string(server_->grpc_address().port);
    const auto target = AttackTarget::Connect(address, file_, {});
    EXPECT_TRUE(target.ok()) << target.status();
    Attacker attacker(*target, 1);
    std::mt19937_64 random(2);
    while (attacker.tally().Total().in_ball < candidates) {
      std::vector<std::uint8_t> image(target->input_size());
      for (auto& pixel : image) pixel = static_cast<std::uint8_t>(random() % 256);
      const absl::Status status = attacker.AttackImage(image);
      EXPECT_TRUE(status.ok()) << status;
      if (!status.ok()) break;
    }
    for (const auto& [name, row] : attacker.tally().rows()) {
      EXPECT_GT(row.in_ball, 0U) << name;
      EXPECT_EQ(row.violations, 0U) << name;
    }
    return attacker.tally().Total();
  }

  SteadyClock clock_;
  std::string folder_;
  std::string file_;
  std::unique_ptr<Server> server_;
};

TEST_F(SoundnessTest, NoAttackOnABinaryModelSucceedsAndTheNearestFlipIsWithin1e5OfTheRadius) {
  Serve(TightNetwork(1, {784, 32, 16, 1}));
  const AttackTally::Row total = Attack(60000);
  EXPECT_LT(total.smallest_gap, 1e-5);
}

TEST_F(SoundnessTest, NoAttackOnATenClassModelSucceeds) {
  Serve(TightNetwork(2, {784, 32, 16, 10}));
  Attack(40000);
}

}  // namespace
}  // namespace lipserve
