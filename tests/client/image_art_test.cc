// SPDX-License-Identifier: Apache-2.0
#include "client/image_art.h"

#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lipserve {
namespace {

using ::testing::ElementsAre;

Picture GreyPicture(std::size_t width, std::size_t height, const std::vector<std::uint8_t>& grey) {
  Picture picture{width, height, {}};
  for (const std::uint8_t level : grey) picture.pixels.push_back({level, level, level});
  return picture;
}

TEST(ImageArtTest, AsciiRampRunsFromSpaceToAt) {
  const Picture picture = GreyPicture(3, 2, {0, 128, 255, 0, 128, 255});
  EXPECT_THAT(DrawPicture(picture, {}), ElementsAre(" +@"));
}

TEST(ImageArtTest, WithoutColourEdgesAreHalfBlocks) {
  const Picture picture = GreyPicture(4, 2, {255, 0, 255, 0, 0, 255, 255, 0});
  EXPECT_THAT(DrawPicture(picture, {.utf8 = true}), ElementsAre("▀▄█ "));
}

TEST(ImageArtTest, ColourCellsCarryTheExactLevelsOfBothPixels) {
  const Picture picture = GreyPicture(1, 2, {250, 17});
  const auto lines = DrawPicture(picture, {.utf8 = true, .colors = ColorDepth::k24Bit});
  EXPECT_THAT(lines, ElementsAre("\x1b[38;2;250;250;250;48;2;17;17;17m▀\x1b[0m"));
  const auto palette = DrawPicture(picture, {.utf8 = true, .colors = ColorDepth::k256});
  EXPECT_THAT(palette, ElementsAre("\x1b[38;5;231;48;5;233m▀\x1b[0m"));
}

TEST(ImageArtTest, EqualPixelsNeedNoHalfBlock) {
  const Picture picture = GreyPicture(1, 2, {128, 128});
  EXPECT_THAT(DrawPicture(picture, {.utf8 = true, .colors = ColorDepth::k256}),
              ElementsAre("\x1b[48;5;244m \x1b[0m"));
}

TEST(ImageArtTest, AnOddLastRowStandsOnBlack) {
  EXPECT_THAT(DrawPicture(GreyPicture(1, 3, {255, 255, 255}), {.utf8 = true}),
              ElementsAre("█", "▀"));
}

TEST(ImageArtTest, CropKeepsOnePixelAroundTheInkOfAllPictures) {
  std::vector<std::uint8_t> a(36, 0);
  std::vector<std::uint8_t> b(36, 0);
  a[2 * 6 + 2] = 9;
  b[3 * 6 + 3] = 9;
  std::vector<Picture> pictures = {GreyPicture(6, 6, a), GreyPicture(6, 6, b)};
  CropCommonBorder(pictures);
  EXPECT_EQ(pictures[0].width, 4U);
  EXPECT_EQ(pictures[1].height, 4U);
  EXPECT_EQ(pictures[0].at(1, 1)[0], 9);
  EXPECT_EQ(pictures[1].at(2, 2)[0], 9);
}

TEST(ImageArtTest, CropLeavesBlackAndFullPicturesAlone) {
  std::vector<Picture> black = {GreyPicture(2, 2, {0, 0, 0, 0})};
  CropCommonBorder(black);
  EXPECT_EQ(black[0].width, 2U);
  std::vector<Picture> full = {GreyPicture(2, 2, {1, 1, 1, 1})};
  CropCommonBorder(full);
  EXPECT_EQ(full[0].width, 2U);
}

TEST(ImageArtTest, ShrinkAveragesWholeSquares) {
  const Picture small = ShrinkToWidth(GreyPicture(3, 2, {10, 20, 7, 30, 40, 9}), 2);
  EXPECT_EQ(small.width, 2U);
  EXPECT_EQ(small.height, 1U);
  EXPECT_EQ(small.at(0, 0)[0], 25);
  EXPECT_EQ(small.at(1, 0)[0], 8);
}

TEST(ImageArtTest, PictureOfFloatsClampsAndReadsPlanesAsRgb) {
  const std::vector<float> values = {-1.F, 0.5F, 2.F, 1.F, 0.F, 0.2F};  // [3, 1, 2]
  ImageSet set{v1::ELEMENT_TYPE_FP32, {3, 1, 2}, std::string(24, '\0'), {{"x", 0, {}}}};
  std::memcpy(set.data.data(), values.data(), 24);
  const Picture picture = PictureOf(set, 0);
  EXPECT_THAT(picture.at(0, 0), ElementsAre(0, 255, 0));
  EXPECT_THAT(picture.at(1, 0), ElementsAre(128, 255, 51));
}

}  // namespace
}  // namespace lipserve
