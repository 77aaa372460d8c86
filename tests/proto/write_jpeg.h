// SPDX-License-Identifier: Apache-2.0
// JPEG files for tests.
#ifndef TESTS_PROTO_WRITE_JPEG_H_
#define TESTS_PROTO_WRITE_JPEG_H_

// jpeglib.h uses FILE and size_t without including what declares them.
#include <cstddef>
#include <cstdio>
//
#include <jpeglib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace lipserve {

// How a JPEG file is stored; colour_space is that of the pixels.
struct JpegForm {
  unsigned width = 0;
  unsigned height = 0;
  int channels = 1;
  J_COLOR_SPACE color_space = JCS_GRAYSCALE;
  bool progressive = false;
  bool many_scans = false;              // 253 progressive scans of a grey picture
  std::vector<std::uint8_t> exif = {};  // a TIFF structure, or none
};

// Writes a JPEG file of the best quality; pixels: [height, width, channels].
inline void WriteJpeg(const std::string& path, const JpegForm& form,
                      std::vector<std::uint8_t> pixels) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_stdio_dest(&jpeg, file);
  jpeg.image_width = form.width;
  jpeg.image_height = form.height;
  jpeg.input_components = form.channels;
  jpeg.in_color_space = form.color_space;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 100, TRUE);
  if (form.progressive) jpeg_simple_progression(&jpeg);
  std::vector<jpeg_scan_info> scans;
  if (form.many_scans) {
    scans.push_back({1, {0}, 0, 0, 0, 0});
    for (int k = 1; k < 64; ++k) {
      scans.push_back({1, {0}, k, k, 0, 3});
      for (int bit = 3; bit > 0; --bit) scans.push_back({1, {0}, k, k, bit, bit - 1});
    }
    jpeg.scan_info = scans.data();
    jpeg.num_scans = static_cast<int>(scans.size());
  }
  jpeg_start_compress(&jpeg, TRUE);
  if (!form.exif.empty()) {
    std::vector<std::uint8_t> segment = {'E', 'x', 'i', 'f', 0, 0};
    segment.insert(segment.end(), form.exif.begin(), form.exif.end());
    jpeg_write_marker(&jpeg, JPEG_APP0 + 1, segment.data(), static_cast<unsigned>(segment.size()));
  }
  const std::size_t row = std::size_t{form.width} * static_cast<std::size_t>(form.channels);
  while (jpeg.next_scanline < jpeg.image_height) {
    JSAMPROW line = pixels.data() + row * jpeg.next_scanline;
    jpeg_write_scanlines(&jpeg, &line, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::fclose(file);
}

}  // namespace lipserve

#endif  // TESTS_PROTO_WRITE_JPEG_H_
