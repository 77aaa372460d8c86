// SPDX-License-Identifier: Apache-2.0
#include "proto/image/png_file.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/proto/write_png.h"
#include "tests/temporary_folder.h"

namespace lipserve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string MessageOf(const absl::StatusOr<PixelImage>& image) {
  return std::string(image.status().message());
}

// The pixels of a picture, in its own channels or in `channels`.
std::vector<std::uint8_t> PixelsOf(const std::string& path, std::int64_t channels = 0) {
  auto image = ReadPngFile(path);
  EXPECT_TRUE(image.ok()) << image.status();
  if (!image.ok()) return {};
  return channels == 0 ? image->pixels : WithChannels(*std::move(image), channels).pixels;
}

TEST(PngFileTest, GreyPixelsComeBackUnchanged) {
  const TemporaryFolder folder;
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 6 * 5; ++i) pixels.push_back(static_cast<std::uint8_t>(i * 8));
  WritePng(folder.path("grey.png"), {.width = 6, .height = 5}, pixels);
  const auto image = ReadPngFile(folder.path("grey.png"));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->width, 6);
  EXPECT_EQ(image->height, 5);
  EXPECT_EQ(image->pixels, pixels);
}

TEST(PngFileTest, GreyBecomesRgbByRepetition) {
  const TemporaryFolder folder;
  WritePng(folder.path("grey.png"), {.width = 2, .height = 1}, {7, 200});
  EXPECT_THAT(PixelsOf(folder.path("grey.png"), 3), ElementsAre(7, 7, 7, 200, 200, 200));
}

TEST(PngFileTest, RgbBecomesGreyByLumaThatKeepsEqualChannels) {
  const TemporaryFolder folder;
  WritePng(folder.path("rgb.png"), {.width = 4, .height = 1, .color_type = PNG_COLOR_TYPE_RGB},
           {255, 0, 0, 0, 255, 0, 0, 0, 255, 93, 93, 93});
  EXPECT_THAT(PixelsOf(folder.path("rgb.png"), 1), ElementsAre(76, 150, 29, 93));
  EXPECT_THAT(PixelsOf(folder.path("rgb.png"), 3),
              ElementsAre(255, 0, 0, 0, 255, 0, 0, 0, 255, 93, 93, 93));
}

TEST(PngFileTest, PalettesAreExpanded) {
  const TemporaryFolder folder;
  WritePng(folder.path("palette.png"),
           {.width = 3, .height = 1, .color_type = PNG_COLOR_TYPE_PALETTE}, {1, 0, 1});
  EXPECT_THAT(PixelsOf(folder.path("palette.png"), 3),
              ElementsAre(10, 20, 30, 200, 200, 200, 10, 20, 30));
}

TEST(PngFileTest, SixteenBitsAreRoundedToEight) {
  const TemporaryFolder folder;
  WritePng(folder.path("deep.png"), {.width = 3, .height = 1, .bit_depth = 16},
           {0x00, 0xff, 0x80, 0xff, 0xff, 0xff});
  EXPECT_THAT(PixelsOf(folder.path("deep.png")), ElementsAre(1, 0x80, 0xff));
}

TEST(PngFileTest, OpaqueAlphaIsDroppedAndTransparencyRefused) {
  const TemporaryFolder folder;
  WritePng(folder.path("opaque.png"),
           {.width = 1, .height = 1, .color_type = PNG_COLOR_TYPE_GRAY_ALPHA}, {50, 255});
  EXPECT_THAT(PixelsOf(folder.path("opaque.png")), ElementsAre(50));
  WritePng(folder.path("clear.png"),
           {.width = 2, .height = 1, .color_type = PNG_COLOR_TYPE_GRAY_ALPHA}, {50, 255, 50, 254});
  const auto image = ReadPngFile(folder.path("clear.png"));
  EXPECT_THAT(MessageOf(image), HasSubstr("transparent one at column 1, row 0"));
}

TEST(PngFileTest, RefusesMissingForeignAndDamagedFiles) {
  const TemporaryFolder folder;
  EXPECT_EQ(ReadPngFile(folder.path("none.png")).status().code(), absl::StatusCode::kNotFound);

  WriteBytes(folder.path("text.png"), "this is no picture at all");
  EXPECT_THAT(MessageOf(ReadPngFile(folder.path("text.png"))),
              HasSubstr("text.png: expected a PNG image"));

  WriteBytes(folder.path("empty.png"), "");
  EXPECT_FALSE(ReadPngFile(folder.path("empty.png")).ok());
}

TEST(PngFileTest, RefusesEveryTruncation) {
  const TemporaryFolder folder;
  WritePng(folder.path("whole.png"), {.width = 8, .height = 8}, std::vector<std::uint8_t>(64, 77));
  const std::string whole = ReadBytes(folder.path("whole.png"));
  for (std::size_t size = 0; size < whole.size() - 12; ++size) {  // IEND carries no pixels
    WriteBytes(folder.path("cut.png"), whole.substr(0, size));
    EXPECT_FALSE(ReadPngFile(folder.path("cut.png")).ok()) << size;
  }
}

}  // namespace
}  // namespace lipserve
