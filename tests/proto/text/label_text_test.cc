// SPDX-License-Identifier: Apache-2.0
#include "proto/text/label_text.h"

#include <string>

#include "gtest/gtest.h"

namespace lipserve {
namespace {

TEST(LabelTextTest, ALabelIsUtf8WithoutControlCharacters) {
  for (const std::string& good :
       {std::string("cat"), std::string("sea lion"), std::string("caf\u00e9"),
        std::string("\u732b"), std::string("\U0001f408"), std::string(255, 'x')}) {
    EXPECT_EQ(LabelProblem(good), "") << good;
  }
  EXPECT_EQ(LabelProblem(""), "it is empty");
  EXPECT_EQ(LabelProblem(std::string(256, 'x')), "it has 256 bytes, more than 255");
  EXPECT_EQ(LabelProblem("caf\xe9"), "byte 3 is not UTF-8");
  EXPECT_EQ(LabelProblem("\xed\xa0\x80"), "byte 0 is not UTF-8");      // a surrogate
  EXPECT_EQ(LabelProblem("\xc0\x80"), "byte 0 is not UTF-8");          // an overlong NUL
  EXPECT_EQ(LabelProblem("\xf4\x90\x80\x80"), "byte 0 is not UTF-8");  // beyond U+10FFFF
  EXPECT_EQ(LabelProblem(std::string("a\0b", 3)), "byte 1 is a control character");
  EXPECT_EQ(LabelProblem("a\tb"), "byte 1 is a control character");
  EXPECT_EQ(LabelProblem("a\x7f"), "byte 1 is a control character");
  EXPECT_EQ(LabelProblem("\u009b31m"), "byte 0 is a control character");
}

TEST(LabelTextTest, WhatIsShownCannotSteerATerminal) {
  EXPECT_EQ(Visible("caf\u00e9\nok"), "caf\u00e9\nok");
  EXPECT_EQ(Visible("a\x1b[31m\rb"), "a\\x1b[31m\\x0db");
  EXPECT_EQ(VisibleName("a\nb"), "a\\x0ab");
  EXPECT_EQ(Visible("caf\xe9!"), "caf\\xe9!");
  EXPECT_EQ(Visible("\u009b1m"), "\\xc2\\x9b1m");
}

}  // namespace
}  // namespace lipserve
