// SPDX-License-Identifier: Apache-2.0
// A learnable problem that trains in milliseconds: 8 x 8 images that are bright on the left (label
// 3) or on the right (label 5), with some noise and a third label that recipes leave out.
#ifndef TESTS_TRAINER_TINY_EXPERIMENT_H_
#define TESTS_TRAINER_TINY_EXPERIMENT_H_

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tests/proto/idx_bytes.h"
#include "tests/temporary_folder.h"

namespace lipserve::trainer {

// An idx file of unsigned bytes.
inline void WriteIdx(const std::string& path, const std::vector<std::uint32_t>& dimensions,
                     const std::vector<std::uint8_t>& values) {
  WriteBytes(path, IdxBytes(dimensions, values));
}

inline constexpr std::uint32_t kTinyAxis = 8;

// `count` images with labels 3, 5, 9, 3, 5, 9, ...
inline void WriteTinySplit(const std::string& folder, const std::string& prefix,
                           std::uint32_t count, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<std::uint8_t> pixels;
  std::vector<std::uint8_t> labels;
  for (std::uint32_t i = 0; i < count; ++i) {
    constexpr std::uint8_t kLabels[] = {3, 5, 9};
    labels.push_back(kLabels[i % 3]);
    for (std::uint32_t p = 0; p < kTinyAxis * kTinyAxis; ++p) {
      const bool left = p % kTinyAxis < kTinyAxis / 2;
      const std::uint64_t light = labels.back() == 9 ? 60 : left == (labels.back() == 3) ? 90 : 30;
      pixels.push_back(static_cast<std::uint8_t>(light + generator() % 150));
    }
  }
  WriteIdx(folder + "/" + prefix + "-images-idx3-ubyte", {count, kTinyAxis, kTinyAxis}, pixels);
  WriteIdx(folder + "/" + prefix + "-labels-idx1-ubyte", {count}, labels);
}

// 900 training images, 600 of the two classes; 150 and 100 for validation.
inline void WriteTinyDataset(const std::string& folder) {
  std::filesystem::create_directories(folder);
  WriteTinySplit(folder, "train", 900, 1);
  WriteTinySplit(folder, "t10k", 150, 2);
}

// The layers, the loss and the optimizer of the tiny recipe.
inline constexpr char kTinyNetworkText[] = R"(layers { flatten {} }
layers { spectral_dense { units: 8 use_bias: true } }
layers { group_sort { group_size: 2 } }
layers { frobenius_dense { units: 1 } }
loss {
  hkr {
    alpha: 10 alpha_convention: ALPHA_CONVENTION_HINGE_WEIGHT
    min_margin: 1 margin_convention: MARGIN_CONVENTION_FULL
  }
}
optimizer { adam { learning_rate: 0.01 } }
)";

// Trains to a few errors in three epochs.
inline std::string TinyRecipeText() {
  return std::string(R"(name: "tiny"
dataset { idx {} classes: [3, 5] class_names: ["left", "right"] pixel_divisor: 255 }
)") + kTinyNetworkText +
         R"(batch_size: 32
epochs: 3
seed: 7
)";
}

// All three labels, half a unit of L2 distance apart, with the given loss, e.g. "emma { epsilon:
// 0.3 }".
inline std::string TinyMulticlassRecipeText(const std::string& loss) {
  return R"(name: "tiny3"
dataset { idx {} class_names: ["left", "right", "neither"] pixel_divisor: 255 }
layers { flatten {} }
layers { spectral_dense { units: 16 use_bias: true } }
layers { group_sort { group_size: 2 } }
layers { frobenius_dense { units: 3 use_bias: true disjoint_neurons: true } }
loss { )" +
         loss + R"( }
optimizer { adam { learning_rate: 0.01 } }
batch_size: 32
epochs: 8
seed: 7
)";
}

}  // namespace lipserve::trainer

#endif  // TESTS_TRAINER_TINY_EXPERIMENT_H_
