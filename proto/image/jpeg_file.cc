// SPDX-License-Identifier: Apache-2.0
#include "proto/image/jpeg_file.h"

// jpeglib.h uses FILE and size_t without including what declares them.
#include <cstddef>
#include <cstdio>
//
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/image/exif_orientation.h"

namespace lipserve {
namespace {

constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr unsigned kMaxMarkerBytes = 0xffff;

// One decoding. Everything that the library's longjmp may skip over lives here, not on the stack.
struct JpegDecoder {
  JpegDecoder() { jpeg.err = jpeg_std_error(&errors); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;
  ~JpegDecoder() {
    jpeg_destroy_decompress(&jpeg);
    if (file != nullptr) std::fclose(file);
  }

  std::FILE* file = nullptr;
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf on_error{};
  std::string error;
  PixelImage image;
  ExifOrientation orientation;
};

// The first complaint ends the decoding, a mere warning too: libjpeg would go on and fill in grey.
[[noreturn]] void Fail(j_common_ptr jpeg) {
  auto& decoder = *static_cast<JpegDecoder*>(jpeg->client_data);
  std::array<char, JMSG_LENGTH_MAX> message{};
  jpeg->err->format_message(jpeg, message.data());
  decoder.error = message.data();
  std::longjmp(decoder.on_error, 1);
}

void OnMessage(j_common_ptr jpeg, int level) {
  constexpr int kWarning = -1;
  if (level == kWarning) Fail(jpeg);
}

// libjpeg visits every block of the picture for each scan, and a scan may take a few bytes of the
// file. Real progressive pictures have about ten.
constexpr int kMaxScans = 100;

void FailAfterTooManyScans(j_common_ptr jpeg) {
  const auto* const decompress = reinterpret_cast<const jpeg_decompress_struct*>(jpeg);
  if (decompress->input_scan_number <= kMaxScans) return;
  auto& decoder = *static_cast<JpegDecoder*>(jpeg->client_data);
  decoder.error = "it has more than 100 scans";
  std::longjmp(decoder.on_error, 1);
}

// The orientation that the first EXIF segment says, of those that jpeg_read_header has kept.
ExifOrientation OrientationOf(const jpeg_decompress_struct& jpeg) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  for (const jpeg_marker_struct* marker = jpeg.marker_list; marker != nullptr;
       marker = marker->next) {
    const std::span<const std::uint8_t> data(marker->data, marker->data_length);
    if (data.size() >= kExif.size() && std::equal(kExif.begin(), kExif.end(), data.begin())) {
      return ReadExifOrientation(data.subspan(kExif.size()));
    }
  }
  return {};
}

// Returns false with decoder.error set if the file is no readable JPEG.
bool Decode(JpegDecoder& decoder) {
  jpeg_decompress_struct& jpeg = decoder.jpeg;
  if (setjmp(decoder.on_error) != 0) return false;
  decoder.errors.error_exit = Fail;
  decoder.errors.emit_message = OnMessage;
  jpeg_create_decompress(&jpeg);
  decoder.progress.progress_monitor = FailAfterTooManyScans;
  jpeg.progress = &decoder.progress;
  jpeg.client_data = &decoder;
  jpeg_stdio_src(&jpeg, decoder.file);
  jpeg_save_markers(&jpeg, kExifMarker, kMaxMarkerBytes);
  jpeg_read_header(&jpeg, TRUE);
  decoder.orientation = OrientationOf(jpeg);  // jpeg_finish_decompress frees the segments
  if (jpeg.image_width > kMaxImageSide || jpeg.image_height > kMaxImageSide) {
    decoder.error = absl::StrCat(jpeg.image_width, "x", jpeg.image_height, " pixels, more than ",
                                 kMaxImageSide, " in one direction");
    return false;
  }
  if (jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK) {
    decoder.error = "CMYK colours; convert it to RGB first";
    return false;
  }
  jpeg.out_color_space = jpeg.jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
  jpeg.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&jpeg);
  const std::size_t row =
      std::size_t{jpeg.output_width} * static_cast<std::size_t>(jpeg.output_components);
  decoder.image.channels = jpeg.output_components;
  decoder.image.width = jpeg.output_width;
  decoder.image.height = jpeg.output_height;
  decoder.image.pixels.resize(row * jpeg.output_height);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW line = decoder.image.pixels.data() + row * jpeg.output_scanline;
    jpeg_read_scanlines(&jpeg, &line, 1);
  }
  jpeg_finish_decompress(&jpeg);
  return true;
}

}  // namespace

absl::StatusOr<PixelImage> ReadJpegFile(const std::string& path) {
  JpegDecoder decoder;
  decoder.file = std::fopen(path.c_str(), "rb");
  if (decoder.file == nullptr) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot open: ", std::strerror(errno)));
  }
  if (!Decode(decoder)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected a JPEG image, got: ", decoder.error));
  }
  const ExifOrientation& orientation = decoder.orientation;
  if (!orientation.error.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", orientation.error,
                     ", so which way is up is not known: turn the picture upright and save it ",
                     "without EXIF data"));
  }
  return Upright(std::move(decoder.image), orientation.value);
}

}  // namespace lipserve
