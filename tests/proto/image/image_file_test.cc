// SPDX-License-Identifier: Apache-2.0
#include "proto/image/image_file.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/proto/write_jpeg.h"
#include "tests/proto/write_png.h"
#include "tests/temporary_folder.h"

namespace lipserve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ImageFileTest, ContentDecidesAndNotTheName) {
  const TemporaryFolder folder;
  WritePng(folder.path("png.jpg"), {.width = 2, .height = 1}, {7, 200});
  const auto png = ReadImageFile(folder.path("png.jpg"));
  ASSERT_TRUE(png.ok()) << png.status();
  EXPECT_THAT(png->pixels, ElementsAre(7, 200));
  WriteJpeg(folder.path("jpeg.png"), {.width = 8, .height = 8}, std::vector<std::uint8_t>(64, 9));
  const auto jpeg = ReadImageFile(folder.path("jpeg.png"));
  ASSERT_TRUE(jpeg.ok()) << jpeg.status();
  EXPECT_EQ(jpeg->pixels, std::vector<std::uint8_t>(64, 9));
}

TEST(ImageFileTest, RefusesOtherFilesShowingHowTheyStart) {
  const TemporaryFolder folder;
  WriteBytes(folder.path("a.png"), "GIF89a");
  EXPECT_THAT(std::string(ReadImageFile(folder.path("a.png")).status().message()),
              HasSubstr("a.png: expected a PNG or JPEG image, got a file that starts with "
                        "\"GIF8\"; convert it, or move it elsewhere"));
  WriteBytes(folder.path("b.png"), "");
  EXPECT_THAT(std::string(ReadImageFile(folder.path("b.png")).status().message()),
              HasSubstr("got an empty file"));
  EXPECT_EQ(ReadImageFile(folder.path("none")).status().code(), absl::StatusCode::kNotFound);
}

TEST(ImageFileTest, KnowsImagesByTheEndsOfTheirNames) {
  EXPECT_TRUE(IsImageFileName("a.png"));
  EXPECT_TRUE(IsImageFileName("a.JPG"));
  EXPECT_TRUE(IsImageFileName("a.jpeg"));
  EXPECT_FALSE(IsImageFileName("a.gz"));
}

TEST(PixelImageTest, PlanesHoldOneChannelEach) {
  std::vector<std::uint8_t> planes(6);
  CopyToPlanes({.height = 1, .width = 2, .channels = 3, .pixels = {1, 2, 3, 4, 5, 6}},
               planes.data());
  EXPECT_THAT(planes, ElementsAre(1, 4, 2, 5, 3, 6));
}

}  // namespace
}  // namespace lipserve
