// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/draft.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"

namespace lipserve::exchange {
namespace {

std::size_t OutputChannels(const FrozenLayer& layer) {
  if (const auto* const dense = std::get_if<DenseLayer>(&layer)) return dense->outputs;
  return std::get<ConvolutionLayer>(layer).output_channels;
}

// Rounds `numbers` to float32 and counts what that changed.
absl::StatusOr<std::vector<float>> RoundWeights(std::vector<double> numbers,
                                                FinishedDraft& finished) {
  std::vector<float> rounded(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    rounded[i] = static_cast<float>(numbers[i]);
    if (!std::isfinite(rounded[i])) {
      return absl::InvalidArgumentError(absl::StrCat("expected weights within float32, got ",
                                                     numbers[i], "; scale the network down"));
    }
    if (rounded[i] != 0.0F && !std::isnormal(rounded[i])) rounded[i] = 0.0F;
    if (static_cast<double>(rounded[i]) == numbers[i]) continue;
    ++finished.rounded_weights;
    if (rounded[i] == 0.0F) ++finished.flushed_weights;
  }
  return rounded;
}

// Gives the layer its weights and bias.
absl::Status InstallWeights(DraftLayer draft, FinishedDraft& finished, FrozenLayer& layer) {
  layer = std::move(draft.layer);
  if (std::all_of(draft.bias.begin(), draft.bias.end(), [](double b) { return b == 0.0; })) {
    draft.bias.clear();
  }
  LIPSERVE_ASSIGN_OR_RETURN(std::vector<float> weights,
                            RoundWeights(std::move(draft.weights), finished));
  LIPSERVE_ASSIGN_OR_RETURN(std::vector<float> bias, RoundWeights(std::move(draft.bias), finished));
  const auto install = [&](auto& linear) {
    linear.weights = std::move(weights);
    linear.bias = std::move(bias);
  };
  if (auto* const dense = std::get_if<DenseLayer>(&layer)) {
    install(*dense);
  } else if (auto* const convolution = std::get_if<ConvolutionLayer>(&layer)) {
    install(*convolution);
  } else if (auto* const potential = std::get_if<ConvexPotentialLayer>(&layer)) {
    std::visit(install, potential->inner);
  } else if (auto* const pool = std::get_if<AveragePoolLayer>(&layer)) {
    pool->scale = weights[0];
  }
  return absl::OkStatus();
}

}  // namespace

DenseLayer EmptyDense(std::size_t inputs, std::size_t outputs) {
  DenseLayer dense;
  dense.inputs = inputs;
  dense.outputs = outputs;
  return dense;
}

bool IsLinear(const DraftLayer& layer) {
  return std::holds_alternative<DenseLayer>(layer.layer) ||
         std::holds_alternative<ConvolutionLayer>(layer.layer);
}

std::size_t Draft::Add(DraftLayer layer) {
  shapes_.push_back(OutputShape(layer.layer, shapes_[layer.input]));
  layers_.push_back(std::move(layer));
  return layers_.size();
}

absl::StatusOr<FinishedDraft> Draft::Finish(std::size_t scores) {
  std::vector<bool> is_read(layers_.size() + 1);
  is_read[scores] = true;
  for (std::size_t value = scores; value > 0; --value) {
    if (!is_read[value]) continue;
    is_read[layers_[value - 1].input] = true;
    const auto* const sum = std::get_if<SumLayer>(&layers_[value - 1].layer);
    if (sum != nullptr) is_read[sum->other] = true;
  }
  FinishedDraft finished;
  finished.rounded_weights = rounded_;
  FrozenNetwork& network = finished.network;
  network.input_shape = shapes_[0];
  std::vector<std::size_t> numbers(layers_.size() + 1, 0);
  bool is_chain = true;
  for (std::size_t value = 1; value <= scores; ++value) {
    if (!is_read[value]) continue;
    DraftLayer& draft = layers_[value - 1];
    numbers[value] = network.layers.size() + 1;
    network.inputs.push_back(numbers[draft.input]);
    is_chain = is_chain && network.inputs.back() == network.layers.size();
    finished.nodes.push_back(std::move(draft.nodes));
    FrozenLayer layer;
    LIPSERVE_RETURN_IF_ERROR(InstallWeights(std::move(draft), finished, layer));
    if (auto* const sum = std::get_if<SumLayer>(&layer)) sum->other = numbers[sum->other];
    network.layers.push_back(std::move(layer));
  }
  if (is_chain) network.inputs.clear();
  return finished;
}

void ScaleOutputs(DraftLayer& layer, std::span<const double> scale, std::span<const double> shift) {
  assert(IsLinear(layer));
  const std::size_t channels = OutputChannels(layer.layer);
  const std::size_t fan_in = layer.weights.size() / channels;
  layer.bias.resize(channels, 0.0);
  for (std::size_t channel = 0; channel < channels; ++channel) {
    for (std::size_t k = 0; k < fan_in; ++k) layer.weights[channel * fan_in + k] *= scale[channel];
    layer.bias[channel] = layer.bias[channel] * scale[channel] + shift[channel];
  }
}

DraftLayer LayerOn(std::size_t input, FrozenLayer layer) {
  return {.layer = std::move(layer), .weights = {}, .bias = {}, .input = input, .nodes = {}};
}

DraftLayer ChannelScaling(std::size_t input, const SampleShape& shape, std::vector<double> scale,
                          std::vector<double> shift) {
  assert(scale.size() == shape.channels && shift.size() == shape.channels);
  return {.layer =
              ConvolutionLayer{
                  .input = shape, .output_channels = shape.channels, .groups = shape.channels},
          .weights = std::move(scale),
          .bias = std::move(shift),
          .input = input,
          .nodes = {}};
}

}  // namespace lipserve::exchange
