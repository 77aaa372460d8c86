// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/convex_potential.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include "model/network/adjoint.h"

namespace lipserve::exchange {
namespace {

// Rounding of D and of the products with it in float64.
constexpr double kTolerance = 1e-12;

// The linear part of a layer, [outputs, inputs * taps], the inputs being those of an output's
// group.
struct LinearPart {
  const std::vector<double>& weights;
  std::size_t outputs;
  std::size_t inputs;
  std::size_t taps;
  std::size_t groups = 1;

  std::size_t outputs_per_group() const { return outputs / groups; }

  double At(std::size_t o, std::size_t i, std::size_t tap) const {
    return weights[(o * inputs + i) * taps + tap];
  }
  // Where this, an adjoint, has weight (o, i, tap) of `inner`.
  double AdjointAt(const LinearPart& inner, std::size_t o, std::size_t i, std::size_t tap) const {
    const std::size_t group = o / inner.outputs_per_group();
    return At(group * outputs_per_group() + i, o % inner.outputs_per_group(), taps - 1 - tap);
  }
};

LinearPart PartOf(const DraftLayer& layer) {
  if (const auto* const dense = std::get_if<DenseLayer>(&layer.layer)) {
    return {
        .weights = layer.weights, .outputs = dense->outputs, .inputs = dense->inputs, .taps = 1};
  }
  const auto& convolution = std::get<ConvolutionLayer>(layer.layer);
  return {.weights = layer.weights,
          .outputs = convolution.output_channels,
          .inputs = convolution.input.channels / convolution.groups,
          .taps = convolution.vertical.size * convolution.horizontal.size,
          .groups = convolution.groups};
}

// Whether `outer` moves like the adjoint of `inner`.
bool HasAdjointGeometry(const DraftLayer& inner, const DraftLayer& outer) {
  if (std::holds_alternative<DenseLayer>(inner.layer)) {
    return std::holds_alternative<DenseLayer>(outer.layer);
  }
  const auto& k = std::get<ConvolutionLayer>(inner.layer);
  const auto* const other = std::get_if<ConvolutionLayer>(&outer.layer);
  if (other == nullptr || k.groups != other->groups || !KeepsPositions(k)) return false;
  const ConvolutionLayer adjoint =
      Adjoint(ConvolutionLayer{.input = k.input,
                               .output_channels = k.output_channels,
                               .groups = k.groups,
                               .vertical = k.vertical,
                               .horizontal = k.horizontal,
                               .padding_mode = k.padding_mode,
                               .weights = std::vector<float>(k.output_channels * k.fan_in())});
  const auto same = [](const WindowAxis& a, const WindowAxis& b) {
    return a.size == b.size && a.stride == b.stride && a.dilation == b.dilation &&
           a.padding_before == b.padding_before && a.padding_after == b.padding_after;
  };
  return adjoint.input == other->input && adjoint.output_channels == other->output_channels &&
         adjoint.padding_mode == other->padding_mode && same(adjoint.vertical, other->vertical) &&
         same(adjoint.horizontal, other->horizontal);
}

// D with outer = -inner^T D; empty if there is no positive one.
std::vector<double> DiagonalBetween(const LinearPart& inner, const LinearPart& outer) {
  if (inner.outputs_per_group() != outer.inputs || inner.inputs != outer.outputs_per_group() ||
      inner.taps != outer.taps || inner.groups != outer.groups) {
    return {};
  }
  std::vector<double> diagonal(inner.outputs);
  for (std::size_t o = 0; o < inner.outputs; ++o) {
    double largest = 0.0;
    for (std::size_t i = 0; i < inner.inputs * inner.taps; ++i) {
      const double weight = inner.At(o, i / inner.taps, i % inner.taps);
      if (std::abs(weight) <= std::abs(largest)) continue;
      largest = weight;
      diagonal[o] = -outer.AdjointAt(inner, o, i / inner.taps, i % inner.taps) / weight;
    }
    if (!(diagonal[o] > 0.0)) return {};
    for (std::size_t i = 0; i < inner.inputs * inner.taps; ++i) {
      const double expected = -diagonal[o] * inner.At(o, i / inner.taps, i % inner.taps);
      const double found = outer.AdjointAt(inner, o, i / inner.taps, i % inner.taps);
      if (std::abs(found - expected) > kTolerance * std::abs(diagonal[o] * largest)) return {};
    }
  }
  return diagonal;
}

bool IsRelu(const DraftLayer& layer) {
  const auto* const prelu = std::get_if<PReluLayer>(&layer.layer);
  return prelu != nullptr && std::all_of(prelu->slopes.begin(), prelu->slopes.end(),
                                         [](float slope) { return slope == 0.0F; });
}

std::variant<DenseLayer, ConvolutionLayer> InnerOf(const DraftLayer& layer) {
  if (const auto* const dense = std::get_if<DenseLayer>(&layer.layer)) return *dense;
  return std::get<ConvolutionLayer>(layer.layer);
}

}  // namespace

std::optional<View> ConvexPotentialOf(Conversion& conversion, const View& x, const View& y) {
  Draft& draft = conversion.draft();
  if (x.source.kind != Source::Kind::kValue || y.source.kind != Source::Kind::kValue ||
      !x.IsPure() || !y.IsPure() || y.HasConstants() || x.index != y.index ||
      x.size() != draft.shape(x.source.value).size() ||
      x.size() != draft.shape(y.source.value).size()) {
    return std::nullopt;
  }
  const DraftLayer* const outer = draft.producer(y.source.value);
  if (outer == nullptr || !IsLinear(*outer)) return std::nullopt;
  const DraftLayer* const relu = draft.producer(outer->input);
  if (relu == nullptr || !IsRelu(*relu)) return std::nullopt;
  const DraftLayer* const inner = draft.producer(relu->input);
  if (inner == nullptr || !IsLinear(*inner) || inner->input != x.source.value ||
      !HasAdjointGeometry(*inner, *outer) ||
      std::any_of(outer->bias.begin(), outer->bias.end(), [](double b) { return b != 0.0; })) {
    return std::nullopt;
  }
  const std::vector<double> diagonal = DiagonalBetween(PartOf(*inner), PartOf(*outer));
  if (diagonal.empty()) return std::nullopt;
  std::vector<double> roots;
  for (const double number : diagonal) roots.push_back(std::sqrt(number));
  DraftLayer potential = *inner;
  const std::vector<double> zeros(roots.size());
  ScaleOutputs(potential, roots, zeros);
  potential.layer = ConvexPotentialLayer{.inner = InnerOf(*inner)};
  AddNodes(relu->nodes, potential.nodes);
  AddNodes(outer->nodes, potential.nodes);
  AddNodes(y.nodes, potential.nodes);
  if (std::holds_alternative<DenseLayer>(inner->layer)) {
    // Of a vector: images are flattened.
    const SampleShape& shape = draft.shape(y.source.value);
    View flat = WholeValue(x.source.value, shape, {static_cast<std::int64_t>(shape.size())});
    const auto value = conversion.ValueOf(flat);
    if (!value.ok()) return std::nullopt;
    potential.input = *value;
  }
  View sum = conversion.AddLayer(x, std::move(potential), x.dims);
  sum.index = x.index;
  sum.is_exclusive = false;
  return sum;
}

}  // namespace lipserve::exchange
