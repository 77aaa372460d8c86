// SPDX-License-Identifier: Apache-2.0
#include "model/arithmetic/floating_point_canary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cfenv>
#include <string>
#include <vector>

#include "model/arithmetic/outward_rounding.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace lipserve {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kDirectedModes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};

// Restores the floating-point environment, whatever a test does to it.
class FloatingPointCanaryTest : public ::testing::Test {
 protected:
  FloatingPointCanaryTest() { std::fegetenv(&usual_); }
  ~FloatingPointCanaryTest() override { std::fesetenv(&usual_); }

  // What the canaries say in the environment that `set` makes.
  template <typename Set>
  std::vector<std::string> BrokenIn(const Set& set) {
    set();
    std::vector<std::string> broken = BrokenFloatingPointAssumptions();
    std::fesetenv(&usual_);
    return broken;
  }

 private:
  std::fenv_t usual_{};
};

TEST_F(FloatingPointCanaryTest, AllIsWellHere) {
  EXPECT_THAT(BrokenFloatingPointAssumptions(), IsEmpty());
  EXPECT_TRUE(CheckStrictFloatingPoint().ok());
}

TEST_F(FloatingPointCanaryTest, EveryDirectedRoundingModeShows) {
  for (const int mode : kDirectedModes) {
    const auto broken = BrokenIn([mode] { std::fesetround(mode); });
    EXPECT_THAT(broken, Contains("float64 results rounded to the nearest")) << mode;
    EXPECT_THAT(broken, Contains("float32 results rounded to the nearest")) << mode;
  }
}

#if defined(__x86_64__)
constexpr unsigned kFlushResults = 0x8000;   // FTZ
constexpr unsigned kFlushOperands = 0x0040;  // DAZ

TEST_F(FloatingPointCanaryTest, FlushedResultsAndFlushedOperandsShowEachByItself) {
  EXPECT_THAT(BrokenIn([] { _mm_setcsr(_mm_getcsr() | kFlushResults); }),
              ElementsAre("subnormal results kept (no FTZ)"));
  EXPECT_THAT(BrokenIn([] { _mm_setcsr(_mm_getcsr() | kFlushOperands); }),
              ElementsAre("subnormal operands kept (no DAZ)"));
}

TEST_F(FloatingPointCanaryTest, TheStrictScopeHealsWhateverALibraryLeft) {
  for (const int mode : kDirectedModes) {
    _mm_setcsr(_mm_getcsr() | kFlushResults | kFlushOperands);
    std::fesetround(mode);
    ASSERT_THAT(BrokenFloatingPointAssumptions(), Contains(HasSubstr("FTZ")));
    {
      const ScopedStrictFloatingPoint strict;
      EXPECT_THAT(BrokenFloatingPointAssumptions(), IsEmpty());
    }
    EXPECT_THAT(BrokenFloatingPointAssumptions(), Contains(HasSubstr("FTZ")));
    EXPECT_TRUE(CheckStrictFloatingPoint().ok()) << CheckStrictFloatingPoint();
  }
}
#endif

}  // namespace
}  // namespace lipserve
