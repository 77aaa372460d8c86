// SPDX-License-Identifier: Apache-2.0
#include "model/network/window.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace lipserve {
namespace {

constexpr PaddingMode kModes[] = {PaddingMode::kZero, PaddingMode::kReflect,
                                  PaddingMode::kReplicate, PaddingMode::kCircular};

// The letters of the drawings in window.h; '0' is a zero.
std::string Letters(std::size_t length) { return std::string("abcdefgh").substr(0, length); }

// The padded image, written out letter by letter outwards from the image, as the drawings do.
std::string PaddedImage(PaddingMode mode, const std::string& image, std::size_t before,
                        std::size_t after) {
  std::string padded = image;
  for (std::size_t i = 0; i < before; ++i) {
    switch (mode) {
      case PaddingMode::kZero:
        padded.insert(0, 1, '0');
        break;
      case PaddingMode::kReflect:
        padded.insert(0, 1, image[i + 1]);
        break;
      case PaddingMode::kReplicate:
        padded.insert(0, 1, image.front());
        break;
      case PaddingMode::kCircular:
        padded.insert(0, 1, image[image.size() - 1 - i]);
        break;
    }
  }
  for (std::size_t i = 0; i < after; ++i) {
    switch (mode) {
      case PaddingMode::kZero:
        padded.push_back('0');
        break;
      case PaddingMode::kReflect:
        padded.push_back(image[image.size() - 2 - i]);
        break;
      case PaddingMode::kReplicate:
        padded.push_back(image.back());
        break;
      case PaddingMode::kCircular:
        padded.push_back(image[i]);
        break;
    }
  }
  return padded;
}

// What every output of the axis reads, through every tap, against the written-out padded image.
void ExpectReadsPaddedImage(const WindowAxis& axis, PaddingMode mode, std::size_t length) {
  const std::string image = Letters(length);
  const std::string padded = PaddedImage(mode, image, axis.padding_before, axis.padding_after);
  std::size_t outputs = 0;
  for (std::size_t first = 0; first + axis.dilation * (axis.size - 1) < padded.size();
       first += axis.stride) {
    ASSERT_LT(outputs, axis.outputs(length));
    for (std::size_t tap = 0; tap < axis.size; ++tap) {
      const auto source = SourcePosition(axis, mode, length, outputs, tap);
      ASSERT_EQ(source ? image.at(*source) : '0', padded[first + tap * axis.dilation])
          << padded << ", output " << outputs << ", tap " << tap;
    }
    ++outputs;
  }
  ASSERT_EQ(outputs, axis.outputs(length)) << padded;
}

TEST(SourcePositionTest, ReadsTheWrittenOutPaddedImageInEveryMode) {
  int axes = 0;
  for (const PaddingMode mode : kModes) {
    for (std::size_t length = 1; length <= 5; ++length) {
      for (std::size_t code = 0; code < 4 * 3 * 3 * 6 * 6; ++code) {
        const WindowAxis axis{.size = 1 + code % 4,
                              .stride = 1 + code / 4 % 3,
                              .dilation = 1 + code / 12 % 3,
                              .padding_before = code / 36 % 6,
                              .padding_after = code / 216};
        if (!IsValidPadding(axis, mode, length) || axis.outputs(length) == 0) continue;
        ExpectReadsPaddedImage(axis, mode, length);
        ++axes;
      }
    }
  }
  EXPECT_GT(axes, 10000);
}

TEST(IsValidPaddingTest, AsksForASourceWithinTheImage) {
  const auto valid = [](PaddingMode mode, std::size_t before, std::size_t after) {
    return IsValidPadding({.padding_before = before, .padding_after = after}, mode, 4);
  };
  for (const bool swapped : {false, true}) {
    const auto pair = [&](PaddingMode mode, std::size_t padding) {
      return swapped ? valid(mode, 0, padding) : valid(mode, padding, 0);
    };
    EXPECT_TRUE(pair(PaddingMode::kReflect, 3));
    EXPECT_FALSE(pair(PaddingMode::kReflect, 4));
    EXPECT_TRUE(pair(PaddingMode::kCircular, 4));
    EXPECT_FALSE(pair(PaddingMode::kCircular, 5));
    EXPECT_TRUE(pair(PaddingMode::kZero, 100));
    EXPECT_TRUE(pair(PaddingMode::kReplicate, 100));
  }
}

TEST(WindowAxisTest, HasNoOutputsWhereTheWindowDoesNotFit) {
  EXPECT_EQ((WindowAxis{.size = 3, .dilation = 2}).outputs(4), 0U);
  EXPECT_EQ((WindowAxis{.size = 3, .dilation = 2}).outputs(5), 1U);
  EXPECT_EQ((WindowAxis{.size = 3, .padding_before = 1, .padding_after = 1}).outputs(1), 1U);
  EXPECT_EQ((WindowAxis{.size = 0}).outputs(4), 0U);
  EXPECT_EQ((WindowAxis{.size = 1, .stride = 0}).outputs(4), 0U);
}

}  // namespace
}  // namespace lipserve
