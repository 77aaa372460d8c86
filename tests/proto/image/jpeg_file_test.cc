// SPDX-License-Identifier: Apache-2.0
#include "proto/image/jpeg_file.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/proto/write_jpeg.h"
#include "tests/temporary_folder.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

class JpegFileTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_.path(name); }

  std::string ErrorOf(const std::string& name) const {
    return std::string(ReadJpegFile(Path(name)).status().message());
  }

  void Write(const std::string& name, const std::string& bytes) const {
    WriteBytes(Path(name), bytes);
  }

  std::string Bytes(const std::string& name) const { return ReadBytes(Path(name)); }

  TemporaryFolder folder_;
};

// One value each row: the transform of a constant row has no rounding to speak of.
std::vector<std::uint8_t> Stripes(unsigned width, unsigned height) {
  std::vector<std::uint8_t> pixels;
  for (unsigned y = 0; y < height; ++y) {
    pixels.insert(pixels.end(), width, static_cast<std::uint8_t>(40 + 8 * y));
  }
  return pixels;
}

TEST_F(JpegFileTest, GreyPixelsComeBackWithinTheLossOfTheBestQuality) {
  for (const bool progressive : {false, true}) {
    WriteJpeg(Path("grey.jpg"), {.width = 16, .height = 16, .progressive = progressive},
              Stripes(16, 16));
    const auto image = ReadJpegFile(Path("grey.jpg"));
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->channels, 1);
    EXPECT_EQ(image->width, 16);
    EXPECT_EQ(image->height, 16);
    const std::vector<std::uint8_t> written = Stripes(16, 16);
    ASSERT_EQ(image->pixels.size(), written.size());
    // Coefficients are rounded to integers, and so are the pixels.
    for (std::size_t i = 0; i < written.size(); ++i) {
      ASSERT_NEAR(int{image->pixels[i]}, int{written[i]}, 2) << i;
    }
  }
}

TEST_F(JpegFileTest, ColoursComeBackInTheOrderRedGreenBlue) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 64; ++i) pixels.insert(pixels.end(), {200, 120, 40});
  WriteJpeg(Path("rgb.jpg"), {.width = 8, .height = 8, .channels = 3, .color_space = JCS_RGB},
            pixels);
  const auto image = ReadJpegFile(Path("rgb.jpg"));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->channels, 3);
  // YCbCr is rounded to integers once, which moves a colour by at most two.
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    ASSERT_NEAR(int{image->pixels[i]}, int{pixels[i]}, 3) << i;
  }
}

TEST_F(JpegFileTest, RefusesCmykAndSaysWhatToDo) {
  WriteJpeg(Path("cmyk.jpg"), {.width = 8, .height = 8, .channels = 4, .color_space = JCS_CMYK},
            std::vector<std::uint8_t>(256, 9));
  EXPECT_THAT(ErrorOf("cmyk.jpg"), HasSubstr("CMYK colours; convert it to RGB first"));
}

TEST_F(JpegFileTest, RefusesPicturesThatAreTooLarge) {
  WriteJpeg(Path("wide.jpg"), {.width = 4097, .height = 1}, std::vector<std::uint8_t>(4097, 1));
  EXPECT_THAT(ErrorOf("wide.jpg"), HasSubstr("4097x1 pixels, more than 4096"));
}

// The time of a scan depends on the size of the picture, not on that of the file.
TEST_F(JpegFileTest, RefusesTooManyScans) {
  WriteJpeg(Path("scans.jpg"), {.width = 16, .height = 16, .many_scans = true}, Stripes(16, 16));
  EXPECT_THAT(ErrorOf("scans.jpg"), HasSubstr("more than 100 scans"));
}

TEST_F(JpegFileTest, RefusesEveryTruncation) {
  WriteJpeg(Path("whole.jpg"), {.width = 16, .height = 16}, Stripes(16, 16));
  const std::string whole = Bytes("whole.jpg");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    Write("cut.jpg", whole.substr(0, size));
    EXPECT_FALSE(ReadJpegFile(Path("cut.jpg")).ok()) << size << " of " << whole.size();
  }
}

TEST_F(JpegFileTest, RefusesMissingAndForeignFilesNamingThem) {
  EXPECT_EQ(ReadJpegFile(Path("none.jpg")).status().code(), absl::StatusCode::kNotFound);
  Write("text.jpg", "this is no picture at all");
  EXPECT_THAT(ErrorOf("text.jpg"), HasSubstr("text.jpg: expected a JPEG image, got: Not a JPEG"));
}

TEST_F(JpegFileTest, NeverFailsWithoutAMessageHoweverTheBytesAreDamaged) {
  WriteJpeg(Path("whole.jpg"), {.width = 16, .height = 16}, Stripes(16, 16));
  const std::string whole = Bytes("whole.jpg");
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0xff);
    Write("damaged.jpg", damaged);
    const auto image = ReadJpegFile(Path("damaged.jpg"));
    if (image.ok()) {
      ASSERT_EQ(image->pixels.size(),
                static_cast<std::size_t>(image->width * image->height * image->channels));
    } else {
      ASSERT_THAT(std::string(image.status().message()), HasSubstr("expected a JPEG image"));
    }
  }
}

}  // namespace
}  // namespace lipserve
