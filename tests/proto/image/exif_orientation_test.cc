// SPDX-License-Identifier: Apache-2.0
#include "proto/image/exif_orientation.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/image/image_file.h"
#include "tests/proto/exif_bytes.h"
#include "tests/proto/write_jpeg.h"
#include "tests/proto/write_png.h"
#include "tests/temporary_folder.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

// The stored picture has two rows "a b c" and "d e f". By EXIF, row 0 of what is stored is the top,
// top, bottom, bottom, left, right, right, left side of what is seen, and column 0 is the left,
// right, right, left, top, top, bottom, bottom one.
const std::vector<std::string> kSeen[] = {
    {"abc", "def"},      // 1: as stored
    {"cba", "fed"},      // 2: mirrored
    {"fed", "cba"},      // 3: upside down
    {"def", "abc"},      // 4: mirrored upside down
    {"ad", "be", "cf"},  // 5: top left corner kept, rows are columns
    {"da", "eb", "fc"},  // 6: turned right
    {"fc", "eb", "da"},  // 7: bottom right corner kept, rows are columns
    {"cf", "be", "ad"},  // 8: turned left
};

// 'a' to 'f' as grey values that JPEG keeps apart.
std::uint8_t Grey(char letter) { return static_cast<std::uint8_t>(20 + 40 * (letter - 'a')); }

// Each pixel is a block of 8 x 8, which JPEG stores without loss to speak of.
std::vector<std::uint8_t> Blocks(const std::vector<std::string>& rows) {
  std::vector<std::uint8_t> pixels;
  for (const std::string& row : rows) {
    for (int copy = 0; copy < 8; ++copy) {
      for (const char letter : row) pixels.insert(pixels.end(), 8, Grey(letter));
    }
  }
  return pixels;
}

TEST(ExifOrientationTest, EveryOrientationTurnsJpegAndPngUpright) {
  const TemporaryFolder folder;
  for (std::uint32_t orientation = 1; orientation <= 8; ++orientation) {
    for (const bool big_endian : {false, true}) {
      SCOPED_TRACE(orientation);
      // A tag before it, and one after.
      const auto exif = TiffBytesOf({{.tag = 0x010f, .type = 2, .count = 4, .value = 0},
                                     {.value = orientation},
                                     {.tag = 0x0213}},
                                    big_endian);
      const std::vector<std::string>& seen = kSeen[orientation - 1];
      WriteJpeg(folder.path("a.jpg"), {.width = 24, .height = 16, .exif = exif},
                Blocks({"abc", "def"}));
      WritePng(folder.path("a.png"), {.width = 24, .height = 16, .exif = exif},
               Blocks({"abc", "def"}));
      for (const char* name : {"a.jpg", "a.png"}) {
        const auto image = ReadImageFile(folder.path(name));
        ASSERT_TRUE(image.ok()) << image.status();
        EXPECT_EQ(image->height, static_cast<std::int64_t>(8 * seen.size()));
        EXPECT_EQ(image->width, static_cast<std::int64_t>(8 * seen[0].size()));
        EXPECT_EQ(image->orientation, static_cast<int>(orientation));
        const std::vector<std::uint8_t> expected = Blocks(seen);
        ASSERT_EQ(image->pixels.size(), expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
          ASSERT_NEAR(int{image->pixels[i]}, int{expected[i]}, 2) << name << " " << i;
        }
      }
    }
  }
}

TEST(ExifOrientationTest, ColoursStayTogether) {
  const PixelImage upright =
      Upright({.height = 1, .width = 2, .channels = 3, .pixels = {1, 2, 3, 4, 5, 6}}, 6);
  EXPECT_EQ(upright.height, 2);
  EXPECT_EQ(upright.width, 1);
  EXPECT_THAT(upright.pixels, ElementsAreArray({1, 2, 3, 4, 5, 6}));
}

TEST(ExifOrientationTest, WithoutTheTagOrWithZeroAPictureIsTakenAsStored) {
  EXPECT_EQ(ReadExifOrientation(TiffBytesOf({}, false)).value, 1);
  EXPECT_EQ(ReadExifOrientation(TiffBytesOf({{.tag = 0x0213, .value = 6}}, false)).value, 1);
  EXPECT_EQ(ReadExifOrientation(TiffBytesOf({{.value = 0}}, true)).value, 1);
}

TEST(ExifOrientationTest, DataThatCouldMeanAnythingIsRefusedAndSaysWhatToDo) {
  const TemporaryFolder folder;
  std::vector<std::uint8_t> far = TiffBytesOf({{.value = 6}}, false);
  far[7] = 0xff;  // the directory would be gigabytes away
  std::vector<std::uint8_t> many = TiffBytesOf({{.tag = 1}}, false);
  many[8] = many[9] = 0xff;  // 65,535 entries
  std::vector<std::uint8_t> foreign = TiffBytesOf({{.value = 6}}, false);
  foreign[0] = 'X';
  const std::vector<std::vector<std::uint8_t>> damaged = {
      far,
      many,
      foreign,
      TiffBytesOf({{.value = 9}}, false),
      TiffBytesOf({{.type = 4, .value = 6}}, false),
      TiffBytesOf({{.count = 0xffffffff, .value = 6}}, false),
      {'I', 'I'}};
  for (const std::vector<std::uint8_t>& exif : damaged) {
    EXPECT_THAT(ReadExifOrientation(exif).error, HasSubstr("damaged EXIF data: "));
    WriteJpeg(folder.path("a.jpg"), {.width = 8, .height = 8, .exif = exif},
              std::vector<std::uint8_t>(64, 9));
    EXPECT_THAT(std::string(ReadImageFile(folder.path("a.jpg")).status().message()),
                AllOf(HasSubstr("a.jpg: damaged EXIF data: "),
                      HasSubstr("turn the picture upright and save it without EXIF data")));
  }
  EXPECT_THAT(ReadExifOrientation(std::vector<std::uint8_t>(kMaxExifBytes + 1, 'I')).error,
              HasSubstr("65537 bytes, more than 65536"));
}

TEST(ExifOrientationTest, EveryTruncationAndEveryDamagedByteIsAnswered) {
  const std::vector<std::uint8_t> whole = TiffBytesOf({{.tag = 1}, {.value = 6}}, true);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // A copy of exactly this size, so that a sanitizer sees a read beyond its end.
    const std::vector<std::uint8_t> cut(whole.begin(),
                                        whole.begin() + static_cast<std::ptrdiff_t>(size));
    const ExifOrientation read = ReadExifOrientation(cut);
    EXPECT_TRUE(!read.error.empty() || read.value == 6) << size;
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
      std::vector<std::uint8_t> damaged = whole;
      damaged[i] = static_cast<std::uint8_t>(damaged[i] ^ flip);
      const ExifOrientation read = ReadExifOrientation(damaged);
      EXPECT_TRUE(read.value >= 1 && read.value <= 8);
    }
  }
}

}  // namespace
}  // namespace lipserve
