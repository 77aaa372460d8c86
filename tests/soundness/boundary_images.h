// SPDX-License-Identifier: Apache-2.0
// A model and images for which rounding has its chance to change an answer.
#ifndef TESTS_SOUNDNESS_BOUNDARY_IMAGES_H_
#define TESTS_SOUNDNESS_BOUNDARY_IMAGES_H_

#include <algorithm>
#include <cstddef>
#include <random>
#include <vector>

#include "model/certified_model.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/orthonormal_rows.h"

namespace lipserve {

inline constexpr std::size_t kBoundaryInputs = 784;

// 784-32-16-10 with orthonormal rows, as trained layers have them.
inline FrozenModel OrthonormalModel() {
  std::mt19937_64 random(1);
  FrozenNetwork network = RandomNetwork(1, {kBoundaryInputs, 32, 16, 10});
  for (FrozenLayer& layer : network.layers) {
    auto* dense = std::get_if<DenseLayer>(&layer);
    if (dense == nullptr) continue;
    dense->weights = OrthonormalRows(random, dense->outputs, dense->inputs);
    dense->claimed_operator_norm_bound =
        *BoundOperatorNorm({dense->weights.data(), dense->outputs, dense->inputs});
  }
  return ModelOf(std::move(network));
}

// [count, 784]. Half of the images lie on the line between two others, where the class changes if
// those have different ones, on either side; a quarter has subnormal numbers. Requires: count is a
// multiple of 4.
inline std::vector<float> BoundaryImages(const CertifiedModel& model, std::size_t count) {
  constexpr std::size_t kInputs = kBoundaryInputs;
  constexpr int kBisections = 45;
  std::mt19937_64 random(2);
  std::vector<float> images = RandomFloats(random, count * kInputs, 0.3);
  for (std::size_t k = 0; k < count * kInputs; k += 5) {
    if (k / kInputs % 4 == 0) images[k] *= 0x1p-130F;
  }
  const auto worker = model.NewWorker();
  const auto class_of = [&](const std::vector<float>& x) {
    std::vector<Answer> answer(1);
    model.Classify({x.data(), 1, kInputs}, *worker, answer);
    return answer[0].class_index;
  };
  const auto image = [&images](std::size_t i) {
    return images.begin() + static_cast<std::ptrdiff_t>(i * kInputs);
  };
  for (std::size_t i = 0; i < count; i += 4) {
    std::vector<float> a(image(i), image(i + 1));
    std::vector<float> b(image(i + 1), image(i + 2));
    for (int step = 0; step < kBisections; ++step) {
      std::vector<float> middle(kInputs);
      for (std::size_t k = 0; k < kInputs; ++k) middle[k] = 0.5F * (a[k] + b[k]);
      (class_of(middle) == class_of(a) ? a : b) = middle;
    }
    std::copy(a.begin(), a.end(), image(i + 2));
    std::copy(b.begin(), b.end(), image(i + 3));
  }
  return images;
}

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_BOUNDARY_IMAGES_H_
