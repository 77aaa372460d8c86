// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/mean_image.h"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lipserve::trainer {

std::vector<float> MeanImage(const Samples& samples, const PixelScaling& scaling) {
  assert(samples.size() > 0);
  std::vector<double> sums(samples.shape.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::span<const std::uint8_t> image = samples.image(i);
    for (std::size_t p = 0; p < sums.size(); ++p) {
      sums[p] += static_cast<double>(scaling[image[p]]);
    }
  }
  std::vector<float> mean(sums.size());
  for (std::size_t p = 0; p < sums.size(); ++p) {
    mean[p] = static_cast<float>(sums[p] / static_cast<double>(samples.size()));
  }
  return mean;
}

}  // namespace lipserve::trainer
