// SPDX-License-Identifier: Apache-2.0
#include "client/terminal.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lipserve {
namespace {

TerminalStyle Choose(bool is_terminal, std::map<std::string, std::string> environment,
                     ColorChoice choice = ColorChoice::kAuto) {
  return ChooseStyle({.is_terminal = is_terminal, .environment = std::move(environment)}, choice);
}

TEST(TerminalTest, ColoursOnlyTerminalsAndOnlyWithoutNoColor) {
  EXPECT_EQ(Choose(true, {{"TERM", "xterm-256color"}}).colors, ColorDepth::k256);
  EXPECT_EQ(Choose(true, {{"TERM", "xterm"}, {"COLORTERM", "truecolor"}}).colors,
            ColorDepth::k24Bit);
  EXPECT_EQ(Choose(false, {{"TERM", "xterm-256color"}}).colors, ColorDepth::kNone);
  EXPECT_EQ(Choose(true, {{"TERM", "xterm-256color"}, {"NO_COLOR", "1"}}).colors,
            ColorDepth::kNone);
  EXPECT_EQ(Choose(true, {{"TERM", "xterm-256color"}, {"NO_COLOR", ""}}).colors, ColorDepth::k256);
  EXPECT_EQ(Choose(true, {{"TERM", "dumb"}}).colors, ColorDepth::kNone);
  EXPECT_EQ(Choose(true, {}).colors, ColorDepth::kNone);
}

TEST(TerminalTest, TheFlagOverridesTheEnvironment) {
  EXPECT_EQ(Choose(false, {{"NO_COLOR", "1"}}, ColorChoice::kAlways).colors, ColorDepth::k256);
  EXPECT_EQ(Choose(false, {{"COLORTERM", "24bit"}}, ColorChoice::kAlways).colors,
            ColorDepth::k24Bit);
  EXPECT_EQ(Choose(true, {{"TERM", "xterm"}}, ColorChoice::kNever).colors, ColorDepth::kNone);
}

TEST(TerminalTest, TheFirstLocaleVariableThatIsSetDecidesOnUtf8) {
  EXPECT_TRUE(Choose(true, {{"LANG", "en_US.UTF-8"}}).utf8);
  EXPECT_TRUE(Choose(true, {{"LC_CTYPE", "C.utf8"}, {"LANG", "C"}}).utf8);
  EXPECT_FALSE(Choose(true, {{"LC_ALL", "C"}, {"LANG", "en_US.UTF-8"}}).utf8);
  EXPECT_TRUE(Choose(true, {{"LC_ALL", ""}, {"LANG", "en_US.UTF-8"}}).utf8);
  EXPECT_FALSE(Choose(true, {}).utf8);
}

TEST(TerminalTest, WidthIsTheTerminalsElseColumnsElseEighty) {
  EXPECT_EQ(
      ChooseStyle({.columns = 132, .environment = {{"COLUMNS", "40"}}}, ColorChoice::kAuto).columns,
      132);
  EXPECT_EQ(Choose(false, {{"COLUMNS", "40"}}).columns, 40);
  EXPECT_EQ(Choose(false, {{"COLUMNS", "wide"}}).columns, 80);
  EXPECT_EQ(Choose(false, {{"COLUMNS", "-5"}}).columns, 1);
}

TEST(TerminalTest, PaintAddsNothingWithoutColours) {
  EXPECT_EQ(Paint("text", Ink::kBad, {}), "text");
  const std::string painted = Paint("text", Ink::kBad, {.colors = ColorDepth::k256});
  EXPECT_THAT(painted, ::testing::StartsWith("\x1b["));
  EXPECT_THAT(painted, ::testing::EndsWith("text\x1b[0m"));
}

TEST(TerminalTest, AServersLabelCannotSteerTheTerminal) {
  EXPECT_EQ(WithoutControls("a\x1b[2Jb\n\x7f"), "a?[2Jb??");
  EXPECT_EQ(WithoutControls("\xc2\x9b"
                            "31m"),
            "??31m");
  EXPECT_EQ(WithoutControls("caf\xc3\xa9 \xe2\x9c\x93"), "caf\xc3\xa9 \xe2\x9c\x93");
  EXPECT_EQ(DisplayWidth("caf\xc3\xa9"), 4U);
}

}  // namespace
}  // namespace lipserve
