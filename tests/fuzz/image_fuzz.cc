// SPDX-License-Identifier: Apache-2.0
// A PNG or JPEG file, as grey and as RGB.
#include <cstdlib>

#include "proto/image/image_file.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static lipserve::MemoryFile file;
  const auto image = lipserve::ReadImageFile(file.Hold(data, size));
  if (!image.ok()) return 0;
  for (const std::int64_t channels : {1, 3}) {
    const lipserve::PixelImage converted = lipserve::WithChannels(*image, channels);
    const std::int64_t count = image->height * image->width * channels;
    if (converted.pixels.size() != static_cast<std::size_t>(count)) std::abort();
  }
  return 0;
}
