// SPDX-License-Identifier: Apache-2.0
// The canaries, compiled as nobody must compile a proof: with -ffast-math, and with fused
// multiply-add where the processor has it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/arithmetic/floating_point_canary.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

TEST(FloatingPointCanaryFastMathTest, WhatTheCompilerBreaksShowsAndIsRefused) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("fma")) GTEST_SKIP() << "this processor cannot fuse";
#else
  GTEST_SKIP() << "the compile options are those of x86-64";
#endif
  const auto broken = BrokenFloatingPointAssumptions();
  EXPECT_THAT(broken, Contains(HasSubstr("no contraction")));
  EXPECT_THAT(broken, Contains(HasSubstr("no reassociation")));
  EXPECT_THAT(broken, Contains(HasSubstr("NaN")));
  const absl::Status status = CheckStrictFloatingPoint();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("floating-point arithmetic: expected"), HasSubstr("no contraction"),
                    HasSubstr("-ffast-math")));
}

}  // namespace
}  // namespace lipserve
