// SPDX-License-Identifier: Apache-2.0
#include "trainer/report/image_data.h"

#include <png.h>

#include <cstdint>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace lipserve::trainer {

std::string ImageData(const Samples& samples, std::size_t i) {
  const std::span<const std::uint8_t> planes = samples.image(i);
  const std::size_t plane = samples.shape.height * samples.shape.width;
  const std::size_t channels = samples.shape.channels == 3 ? 3 : 1;
  std::vector<std::uint8_t> pixels;
  for (std::size_t p = 0; p < plane; ++p) {
    for (std::size_t c = 0; c < channels; ++c) pixels.push_back(planes[c * plane + p]);
  }
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(samples.shape.width);
  image.height = static_cast<png_uint_32>(samples.shape.height);
  image.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = bytes.size();
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data(), 0, nullptr) == 0) {
    return "";  // only sizes that PNG cannot hold; the page then shows the numbers alone
  }
  bytes.resize(size);
  return absl::StrCat("data:image/png;base64,", absl::Base64Escape(bytes));
}

}  // namespace lipserve::trainer
