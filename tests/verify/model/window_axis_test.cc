// SPDX-License-Identifier: Apache-2.0
#include "client/verify/model/window_axis.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lipserve::verify {
namespace {

// What each output reads of an image of letters, "_" for a zero; outputs are separated by spaces.
std::string Read(const WindowAxis& axis, const std::string& image) {
  std::string text;
  for (std::size_t output = 0; output < axis.outputs(); ++output) {
    if (output > 0) text += ' ';
    for (std::size_t tap = 0; tap < axis.taps; ++tap) {
      const auto source = axis.Source(output, tap);
      text += source ? image.at(*source) : '_';
    }
  }
  return text;
}

// One tap over the letters abcd with paddings of 3 and 2: the padded image itself.
std::string Picture(PaddingMode mode) {
  const WindowAxis axis{.length = 4, .padding_before = 3, .padding_after = 2, .mode = mode};
  EXPECT_TRUE(axis.IsValid());
  std::string letters;
  for (const char letter : Read(axis, "abcd")) {
    if (letter != ' ') letters += letter;
  }
  return letters;
}

TEST(WindowAxisTest, PadsLikeThePicturesOfTheFormat) {
  EXPECT_EQ(Picture(PaddingMode::kZero), "___abcd__");
  EXPECT_EQ(Picture(PaddingMode::kReflect), "dcbabcdcb");
  EXPECT_EQ(Picture(PaddingMode::kReplicate), "aaaabcddd");
  EXPECT_EQ(Picture(PaddingMode::kCircular), "bcdabcdab");
}

TEST(WindowAxisTest, StridesAndDilates) {
  WindowAxis axis{.length = 6, .taps = 3, .stride = 2, .dilation = 2, .padding_before = 1};
  EXPECT_EQ(Read(axis, "abcdef"), "_bd bdf");
  axis.padding_after = 2;
  EXPECT_EQ(Read(axis, "abcdef"), "_bd bdf df_");
  axis.mode = PaddingMode::kCircular;
  EXPECT_EQ(Read(axis, "abcdef"), "fbd bdf dfb");
}

TEST(WindowAxisTest, CountsTheWindowsThatFit) {
  for (std::size_t length = 1; length < 8; ++length) {
    for (std::size_t taps = 1; taps < 5; ++taps) {
      for (std::size_t stride = 1; stride < 4; ++stride) {
        const WindowAxis axis{
            .length = length, .taps = taps, .stride = stride, .dilation = 2, .padding_before = 2};
        std::size_t fitting = 0;
        for (std::size_t begin = 0; begin + 2 * (taps - 1) < length + 2; begin += stride) ++fitting;
        EXPECT_EQ(axis.IsValid(), fitting > 0);
        if (fitting > 0) {
          EXPECT_EQ(axis.outputs(), fitting);
        }
      }
    }
  }
}

TEST(WindowAxisTest, RefusesPaddingThatHasNoSource) {
  const auto is_valid = [](std::size_t before, std::size_t after, PaddingMode mode) {
    return WindowAxis{.length = 3, .padding_before = before, .padding_after = after, .mode = mode}
        .IsValid();
  };
  EXPECT_TRUE(is_valid(2, 2, PaddingMode::kReflect));
  EXPECT_FALSE(is_valid(3, 0, PaddingMode::kReflect));
  EXPECT_FALSE(is_valid(0, 3, PaddingMode::kReflect));
  EXPECT_TRUE(is_valid(3, 3, PaddingMode::kCircular));
  EXPECT_FALSE(is_valid(4, 0, PaddingMode::kCircular));
  EXPECT_FALSE(is_valid(0, 4, PaddingMode::kCircular));
  EXPECT_TRUE(is_valid(9, 9, PaddingMode::kReplicate));
  EXPECT_TRUE(is_valid(9, 9, PaddingMode::kZero));
}

}  // namespace
}  // namespace lipserve::verify
