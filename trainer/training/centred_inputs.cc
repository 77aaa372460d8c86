// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/centred_inputs.h"

#include <cassert>
#include <cstddef>
#include <memory>
#include <variant>

#include "absl/strings/str_cat.h"
#include "trainer/constraints/freezing_rounding.h"
#include "trainer/layers/dense.h"

namespace lipserve::trainer {

absl::Status CheckCanTakeMean(const TrainableNetwork& network) {
  for (const std::unique_ptr<Layer>& layer : network.layers()) {
    if (layer->IsView()) continue;
    if (dynamic_cast<const Dense*>(layer.get()) != nullptr) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "recipe: center_inputs: expected a dense layer first, after flatten, whose bias takes the "
        "mean, got ",
        layer->type()));
  }
  return absl::InvalidArgumentError("recipe: center_inputs: expected a dense layer, got none");
}

void MoveMeanIntoBias(std::span<const float> mean, FrozenNetwork& network) {
  for (FrozenLayer& layer : network.layers) {
    auto* const dense = std::get_if<DenseLayer>(&layer);
    if (dense == nullptr) continue;
    assert(dense->inputs == mean.size());
    dense->bias.resize(dense->outputs, 0.0F);
    for (std::size_t r = 0; r < dense->outputs; ++r) {
      double bias = static_cast<double>(dense->bias[r]);
      for (std::size_t c = 0; c < mean.size(); ++c) {
        bias -=
            static_cast<double>(dense->weights[r * mean.size() + c]) * static_cast<double>(mean[c]);
      }
      dense->bias[r] = RoundForFreezing(bias);
    }
    return;
  }
}

}  // namespace lipserve::trainer
