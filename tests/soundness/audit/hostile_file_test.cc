// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/audit/hostile_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lipserve {
namespace {

using ::testing::IsEmpty;

TEST(HostileFileTest, AForgedModelFileIsRefusedOrAnsweredTruly) {
  HostileCounts counts;
  for (const std::uint64_t seed : {3U, 14U, 22U}) {
    counts.Add(TryHostileModels(DrawSubject(seed), 60, seed));
  }
  EXPECT_THAT(counts.faults, IsEmpty());
  EXPECT_GT(counts.false_claims, 5U);
  EXPECT_GT(counts.loaded, 10U);
}

TEST(HostileFileTest, AForgedCertificateIsRefusedOrTrue) {
  HostileCounts counts;
  for (const std::uint64_t seed : {3U, 14U, 22U}) {
    counts.Add(TryHostileCertificates(DrawSubject(seed), 40, seed));
  }
  EXPECT_THAT(counts.faults, IsEmpty());
  EXPECT_GT(counts.certificates, 10 * counts.accepted / 9);
}

}  // namespace
}  // namespace lipserve
