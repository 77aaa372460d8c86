// SPDX-License-Identifier: Apache-2.0
// PNG files for tests, by libpng's simplified interface.
#ifndef TESTS_TRAINER_WRITE_PNG_H_
#define TESTS_TRAINER_WRITE_PNG_H_

#include <png.h>

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace lipserve::trainer {

// pixels: [height, width] or [height, width, 3].
inline void WritePngOfFormat(const std::string& path, unsigned width, unsigned height,
                             png_uint_32 format, const std::vector<std::uint8_t>& pixels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = format;
  ASSERT_EQ(PNG_IMAGE_SIZE(image), pixels.size());
  ASSERT_NE(png_image_write_to_file(&image, path.c_str(), 0, pixels.data(), 0, nullptr), 0)
      << image.message;
}

inline void WriteGreyPng(const std::string& path, unsigned width, unsigned height,
                         const std::vector<std::uint8_t>& pixels) {
  WritePngOfFormat(path, width, height, PNG_FORMAT_GRAY, pixels);
}

inline void WriteRgbPng(const std::string& path, unsigned width, unsigned height,
                        const std::vector<std::uint8_t>& pixels) {
  WritePngOfFormat(path, width, height, PNG_FORMAT_RGB, pixels);
}

}  // namespace lipserve::trainer

#endif  // TESTS_TRAINER_WRITE_PNG_H_
