// SPDX-License-Identifier: Apache-2.0
// A PNG file, as grey and as RGB.
#include <cstdlib>

#include "client/png_image.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static lipserve::MemoryFile file;
  for (const std::int64_t channels : {1, 3}) {
    const auto image = lipserve::ReadPngFile(file.Hold(data, size), channels);
    if (!image.ok()) continue;
    const std::int64_t count = image->height * image->width * channels;
    if (image->pixels.size() != static_cast<std::size_t>(count)) std::abort();
  }
  return 0;
}
