// SPDX-License-Identifier: Apache-2.0
#include "client/answer_gallery.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/sample_report.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> Lines(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The gallery's rows: without the two lines on the model and the four of the summary.
std::vector<std::string> Body(int columns) {
  TerminalStyle style;
  style.columns = columns;
  const auto lines = Lines(AnswerGallery(SampleReport(), SampleImages({0, 0, 7}), style));
  return {lines.begin() + 2, lines.end() - 4};
}

std::int64_t CountOf(const std::vector<std::string>& lines, const std::string& text) {
  return std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.find(text) != std::string::npos;
  });
}

TEST(AnswerGalleryTest, PutsAsManyPicturesSideBySideAsTheTerminalIsWide) {
  // The widest caption is "not certified at 250": 20 columns, and 2 between pictures.
  EXPECT_EQ(CountOf(Body(80), "radius"), 1);
  EXPECT_EQ(CountOf(Body(64), "radius"), 1);
  EXPECT_EQ(CountOf(Body(63), "radius"), 2);
  EXPECT_EQ(CountOf(Body(42), "radius"), 2);
  EXPECT_EQ(CountOf(Body(41), "radius"), 3);
  EXPECT_EQ(CountOf(Body(1), "radius"), 3);
}

TEST(AnswerGalleryTest, NoLineIsWiderThanTheTerminal) {
  for (int columns = 20; columns <= 90; ++columns) {
    for (const std::string& line : Body(columns)) {
      EXPECT_LE(DisplayWidth(line), static_cast<std::size_t>(columns)) << line;
    }
  }
}

TEST(AnswerGalleryTest, CaptionsTellClassTruthScoreRadiusAndCertificate) {
  const std::string text = AnswerGallery(SampleReport(), SampleImages({0, 0, 7}), {});
  for (const char* part : {"zero right", "eight WRONG, truth 0", "score -1.2500",
                           "radius 312.47 px", "not certified at 250", "certified at 250"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(AnswerGalleryTest, WithoutColourAndUtf8OnlyAsciiIsPrinted) {
  for (const char c : AnswerGallery(SampleReport(), SampleImages({0, 0, 7}), {})) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << static_cast<int>(c);
  }
}

TEST(AnswerGalleryTest, TheBarIsAsLongAsTheRadius) {
  const std::string text = AnswerGallery(SampleReport(), SampleImages({0, 0, 7}), {});
  EXPECT_THAT(text, HasSubstr("==="));  // 312.4799 of 312.4799, of the cropped width 3
  EXPECT_THAT(text, HasSubstr("..."));  // 0
  EXPECT_THAT(text, HasSubstr("==."));  // 250, rounded down
  EXPECT_THAT(text, Not(HasSubstr("====")));
}

}  // namespace
}  // namespace lipserve
