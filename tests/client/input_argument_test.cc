// SPDX-License-Identifier: Apache-2.0
#include "client/input_argument.h"

#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

using Interval = std::pair<std::int64_t, std::int64_t>;

// Positions that `text` selects of ten images.
Interval OfTen(const std::string& text) {
  const auto argument = ParseInputArgument(text);
  if (!argument.ok()) return {-1, -1};
  const auto range = ResolveRange(*argument, 10);
  return range.ok() ? Interval(range->begin, range->end) : Interval(-2, -2);
}

TEST(InputArgumentTest, SlicesMeanWhatTheyMeanInPython) {
  EXPECT_EQ(OfTen("f"), Interval(0, 10));
  EXPECT_EQ(OfTen("f[:]"), Interval(0, 10));
  EXPECT_EQ(OfTen("f[0:3]"), Interval(0, 3));
  EXPECT_EQ(OfTen("f[:3]"), Interval(0, 3));
  EXPECT_EQ(OfTen("f[7:]"), Interval(7, 10));
  EXPECT_EQ(OfTen("f[-3:]"), Interval(7, 10));
  EXPECT_EQ(OfTen("f[:-3]"), Interval(0, 7));
  EXPECT_EQ(OfTen("f[5:100]"), Interval(5, 10));
  EXPECT_EQ(OfTen("f[-100:2]"), Interval(0, 2));
  EXPECT_EQ(OfTen("f[5]"), Interval(5, 6));
  EXPECT_EQ(OfTen("f[-1]"), Interval(9, 10));
}

TEST(InputArgumentTest, RefusesRangesThatSelectNothing) {
  for (const char* text : {"f[10]", "f[-11]", "f[5:5]", "f[7:3]", "f[10:]"}) {
    EXPECT_EQ(OfTen(text), Interval(-2, -2)) << text;
  }
  const auto argument = ParseInputArgument("digits.gz[12:]");
  ASSERT_TRUE(argument.ok());
  const auto range = ResolveRange(*argument, 10);
  EXPECT_EQ(range.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(range.status().message()),
              HasSubstr("digits.gz: range [12:] selects no image: the file has 10"));
}

TEST(InputArgumentTest, RefusesWhatIsNoRange) {
  for (const char* text :
       {"", "f[]", "f[a:b]", "f[1:2:3]", "f[1.5]", "f[0x1:]", "[1]", "f[99999999999999999999]"}) {
    EXPECT_FALSE(ParseInputArgument(text).ok()) << text;
  }
}

TEST(InputArgumentTest, LeavesOtherBracketsInTheFileName) {
  EXPECT_EQ(ParseInputArgument("a[1]/b.gz")->path, "a[1]/b.gz");
  EXPECT_EQ(ParseInputArgument("a[1]/b.gz[2]")->path, "a[1]/b.gz");
  EXPECT_EQ(ParseInputArgument("-")->path, "-");
  EXPECT_FALSE(ParseInputArgument("-")->range.has_value());
}

}  // namespace
}  // namespace lipserve
