// SPDX-License-Identifier: Apache-2.0
// PNG files for tests.
#ifndef TESTS_PROTO_WRITE_PNG_H_
#define TESTS_PROTO_WRITE_PNG_H_

#include <png.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace lipserve {

// How a PNG file is stored.
struct PngForm {
  png_uint_32 width = 0;
  png_uint_32 height = 0;
  int color_type = PNG_COLOR_TYPE_GRAY;
  int bit_depth = 8;
  std::vector<std::uint8_t> exif = {};  // a TIFF structure, or none
};

// Writes a PNG file; a palette has the two colours (200, 200, 200) and (10, 20, 30).
inline void WritePng(const std::string& path, const PngForm& form,
                     std::vector<std::uint8_t> bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, file);
  png_set_IHDR(png, info, form.width, form.height, form.bit_depth, form.color_type,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  const png_color palette[] = {{200, 200, 200}, {10, 20, 30}};
  if (form.color_type == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 2);
  std::vector<std::uint8_t> exif = form.exif;
  if (!exif.empty()) png_set_eXIf_1(png, info, static_cast<png_uint_32>(exif.size()), exif.data());
  png_write_info(png, info);
  const std::size_t row_bytes = bytes.size() / form.height;
  for (png_uint_32 y = 0; y < form.height; ++y) {
    png_write_row(png, bytes.data() + y * row_bytes);
  }
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  std::fclose(file);
}

// Three bytes a pixel.
inline void WriteRgbPng(const std::string& path, png_uint_32 width, png_uint_32 height,
                        const std::vector<std::uint8_t>& pixels) {
  ASSERT_EQ(std::size_t{width} * height * 3, pixels.size());
  WritePng(path, {.width = width, .height = height, .color_type = PNG_COLOR_TYPE_RGB}, pixels);
}

}  // namespace lipserve

#endif  // TESTS_PROTO_WRITE_PNG_H_
