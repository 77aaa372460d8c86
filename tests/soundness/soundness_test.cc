// SPDX-License-Identifier: Apache-2.0
// The attacks against a running server. Runs the same code as soundness_attack.
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/model/network_fixtures.h"
#include "tests/model/orthonormal_network.h"
#include "tests/soundness/attacked_server.h"
#include "tests/soundness/attacks/attacks.h"

namespace lipserve {
namespace {

// A gradient-norm-preserving network like the demo's: its certificates are tight, so an attack that
// is any good comes within rounding of the radius.
FrozenNetwork TightNetwork(std::uint64_t seed, std::vector<std::size_t> sizes) {
  FrozenNetwork network = OrthonormalNetwork(seed, std::move(sizes));
  network.input_shape = {.channels = 1, .height = 28, .width = 28};
  return network;
}

// Attacks random images until there are `candidates` in-ball ones; every attack must have had some.
AttackTally AttackUntil(const AttackTarget& target, std::uint64_t candidates) {
  AttackSession session(target, AttackEffort{}, 1);
  std::mt19937_64 random(2);
  while (session.tally().Total().in_ball < candidates) {
    std::vector<std::uint8_t> image(target.input_size());
    for (auto& pixel : image) pixel = static_cast<std::uint8_t>(random() % 256);
    const absl::Status status = AttackImage(session, image);
    EXPECT_TRUE(status.ok()) << status;
    if (!status.ok()) break;
  }
  const std::set<std::string> expected = {"Carlini-Wagner", "DeepFool",     "PGD",
                                          "boundary ray",   "nearest pair", "pixel lattice",
                                          "zero logit"};
  std::set<std::string> attacks;
  for (const auto& [name, row] : session.tally().rows()) {
    attacks.insert(name);
    EXPECT_GT(row.in_ball, 0U) << name;
  }
  EXPECT_EQ(attacks, expected);
  EXPECT_EQ(session.tally().first_violation(), "");
  return session.tally();
}

TEST(SoundnessTest, NoAttackOnABinaryModelSucceedsAndTheNearestFlipIsWithin1e5OfTheRadius) {
  const auto server = AttackedServer::Start(ModelOf(TightNetwork(1, {784, 32, 16, 1})));
  ASSERT_TRUE(server.ok()) << server.status();
  const AttackTally tally = AttackUntil((*server)->target(), 60000);
  EXPECT_LT(tally.rows().at("boundary ray").smallest_gap, 1e-5);
}

TEST(SoundnessTest, NoAttackOnATenClassModelSucceeds) {
  const auto server = AttackedServer::Start(ModelOf(TightNetwork(2, {784, 32, 16, 10})));
  ASSERT_TRUE(server.ok()) << server.status();
  AttackUntil((*server)->target(), 60000);
}

// The attacks are worth something: they refute a certificate that is a millionth too long.
TEST(SoundnessTest, ARadiusThatIsAMillionthTooLongIsCaught) {
  const auto server = AttackedServer::Start(ModelOf(TightNetwork(1, {784, 32, 16, 1})));
  ASSERT_TRUE(server.ok()) << server.status();
  AttackSession session((*server)->target(), AttackEffort{}, 1);
  std::mt19937_64 random(2);
  for (int i = 0; i < 5; ++i) {
    auto center = session.Certify(RandomFloats(random, 784, 0.3));
    ASSERT_TRUE(center.ok()) << center.status();
    center->radius_l2 *= 1.0 + 1e-6;
    Candidates candidates;
    session.AddRays(*center, 1 - center->class_index, candidates);
    ASSERT_TRUE(session.Try("inflated", *center, candidates).ok());
  }
  EXPECT_GT(session.tally().Total().violations, 0U);
  EXPECT_NE(session.tally().first_violation(), "");
}

}  // namespace
}  // namespace lipserve
