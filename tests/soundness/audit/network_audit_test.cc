// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/audit/network_audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <variant>

#include "model/network/frozen_network.h"

namespace lipserve {
namespace {

using ::testing::IsEmpty;

// Two aligned networks and two chains.
TEST(NetworkAuditTest, NoAttackOnARandomNetworkSucceedsAndEveryAnswerIsProvenAgain) {
  for (const std::uint64_t seed : {1U, 10U, 19U, 28U}) {
    const RandomSubject subject = DrawSubject(seed);
    const auto result = AuditNetwork(subject, {.checked_images = 2}, seed);
    ASSERT_TRUE(result.ok()) << subject.Description() << ": " << result.status();
    EXPECT_THAT(result->faults, IsEmpty()) << subject.Description();
    EXPECT_GT(result->tally.Total().in_ball, 2000U) << subject.Description();
    EXPECT_GT(result->certified, 0U) << subject.Description();
  }
}

// The audit is worth something: a radius that is 0.01 % too long is refuted on networks of every
// kind of layer. One of three will do: what comes after a layer may bend before its largest slope.
TEST(NetworkAuditTest, ARadiusThatIsATenThousandthTooLongIsCaughtForEveryKindOfLayer) {
  for (std::uint64_t kind = 0; kind < kNumSubjectKinds; ++kind) {
    std::uint64_t violations = 0;
    for (std::uint64_t draw = 0; draw < 3 && violations == 0; ++draw) {
      const RandomSubject subject = DrawSubject(kind + 2 * kNumSubjectKinds * draw);
      ASSERT_TRUE(subject.aligned);
      ASSERT_EQ(subject.kind, static_cast<SubjectKind>(kind));
      const auto found = ViolationsOfInflatedRadius(subject, 1.0 + 1e-4);
      ASSERT_TRUE(found.ok()) << found.status();
      violations = *found;
    }
    EXPECT_GT(violations, 0U) << SubjectKindName(static_cast<SubjectKind>(kind));
  }
}

TEST(RandomSubjectTest, TheSameSeedDrawsTheSameNetwork) {
  EXPECT_EQ(DrawSubject(5).Description(), DrawSubject(5).Description());
  EXPECT_NE(DrawSubject(5).Description(), DrawSubject(37).Description());
}

TEST(RandomSubjectTest, ThirtyTwoSeedsHaveEveryLayerPaddingAndForm) {
  std::set<std::size_t> layers;
  std::set<PaddingMode> modes;
  std::set<std::string> forms;
  for (std::uint64_t seed = 0; seed < 2 * kNumSubjectKinds; ++seed) {
    const FrozenNetwork network = DrawSubject(seed).model.network;
    ASSERT_TRUE(CheckNetwork(network).ok()) << CheckNetwork(network);
    if (network.prototypes_per_class > 1) forms.insert("prototypes");
    if (NumScores(network) == 1) forms.insert("one score");
    for (const FrozenLayer& layer : network.layers) {
      layers.insert(layer.index());
      const auto* const convolution = std::get_if<ConvolutionLayer>(&layer);
      if (convolution == nullptr) continue;
      modes.insert(convolution->padding_mode);
      forms.insert(convolution->bias.empty() ? "no bias" : "bias");
      if (convolution->groups > 1) forms.insert("groups");
      if (convolution->vertical.stride > 1) forms.insert("stride");
      if (convolution->vertical.dilation > 1) forms.insert("dilation");
    }
  }
  EXPECT_EQ(layers.size(), std::variant_size_v<FrozenLayer>);
  EXPECT_EQ(modes.size(), 4U);
  EXPECT_EQ(forms, (std::set<std::string>{"prototypes", "one score", "no bias", "bias", "groups",
                                          "stride", "dilation"}));
}

}  // namespace
}  // namespace lipserve
