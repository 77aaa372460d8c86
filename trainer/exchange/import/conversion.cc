// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/conversion.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"

namespace lipserve::exchange {
namespace {

bool IsAll(std::span<const double> numbers, double number) {
  return std::all_of(numbers.begin(), numbers.end(), [number](double x) { return x == number; });
}

// Each number of a view, or `otherwise` for all.
std::vector<double> Numbers(std::span<const double> numbers, std::size_t size, double otherwise) {
  if (numbers.empty()) return std::vector<double>(size, otherwise);
  return {numbers.begin(), numbers.end()};
}

// Leaves the constants and takes the scales and shifts off the other numbers.
void DropScaling(View& view) {
  view.scale.clear();
  if (view.shift.empty()) return;
  for (std::size_t i = 0; i < view.size(); ++i) {
    if (!view.IsConstant(i)) view.shift[i] = 0.0;
  }
  if (IsAll(view.shift, 0.0)) view.shift.clear();
}

// The scale that an average pool can take over: one positive number for all.
bool IsOneScale(const View& view) {
  for (std::size_t i = 0; i < view.size(); ++i) {
    if (view.IsConstant(i)) continue;
    if (view.ScaleOf(i) != view.scale[0] || view.ShiftOf(i) != 0.0) return false;
  }
  return view.scale[0] > 0.0;
}

}  // namespace

Conversion::Conversion(const Graph& graph, const SampleShape& input)
    : graph_(graph),
      draft_(input),
      views_(graph.values.size(), absl::InternalError("not converted yet")),
      readers_(graph.values.size()),
      producers_(graph.values.size()) {
  for (std::size_t node = 0; node < graph.nodes.size(); ++node) {
    for (const ValueId input_value : graph.nodes[node].inputs) {
      if (input_value != kNoValue) ++readers_[input_value];
    }
    for (const ValueId output : graph.nodes[node].outputs) {
      if (output != kNoValue) producers_[output] = node + 1;
    }
  }
  for (const ValueId output : graph.outputs) ++readers_[output];
}

const Node* Conversion::ProducerOf(ValueId value) const {
  return producers_[value] == 0 ? nullptr : &graph_.nodes[producers_[value] - 1];
}

void Conversion::SetView(std::size_t node, std::size_t output, absl::StatusOr<View> view) {
  const ValueId value = graph_.nodes[node].outputs[output];
  if (value == kNoValue) return;
  if (!view.ok()) {
    views_[value] = view.status();
    return;
  }
  if (readers_[value] > 1 && view->is_exclusive) {
    FoldIntoProducer(*view);
    view->is_exclusive = false;
  }
  views_[value] = std::make_shared<const View>(*std::move(view));
}

void Conversion::FoldIntoProducer(View& view) {
  if (!view.is_exclusive || view.source.kind != Source::Kind::kValue || view.IsPure()) return;
  DraftLayer* const layer = draft_.producer(view.source.value);
  if (layer == nullptr) return;
  if (std::holds_alternative<AveragePoolLayer>(layer->layer) && !view.scale.empty() &&
      IsOneScale(view)) {
    layer->weights[0] *= view.scale[0];
  } else if (IsLinear(*layer)) {
    const SampleShape& shape = draft_.shape(view.source.value);
    const auto scale = PerChannel(view, shape, Numbers(view.scale, view.size(), 1.0), 1.0);
    const auto shift = PerChannel(view, shape, Numbers(view.shift, view.size(), 0.0), 0.0);
    if (scale.empty() || shift.empty()) return;
    ScaleOutputs(*layer, scale, shift);
  } else {
    return;
  }
  DropScaling(view);
  layer->nodes.insert(layer->nodes.end(), view.nodes.begin(), view.nodes.end());
  view.nodes.clear();
}

std::size_t Conversion::AddOnce(const std::string& key, const View& view, DraftLayer layer) {
  const auto [entry, is_new] = once_.try_emplace(absl::StrCat(layer.input, " ", key), 0);
  if (is_new) entry->second = draft_.Add(std::move(layer));
  auto& nodes = draft_.producer(entry->second)->nodes;
  nodes.insert(nodes.end(), view.nodes.begin(), view.nodes.end());
  return entry->second;
}

absl::StatusOr<View> Conversion::RealiseOrder(const View& view) {
  const std::size_t value = view.source.value;
  LIPSERVE_ASSIGN_OR_RETURN(SortPlan plan,
                            PlanSort(orders_[value], draft_.shape(value), view.index));
  View result = view;
  std::size_t input = value;
  if (!plan.permutation.sources.empty()) {
    input = AddOnce(absl::StrCat("before ", plan.key), view,
                    {.layer = std::move(plan.permutation),
                     .weights = {},
                     .bias = {},
                     .input = value,
                     .nodes = {}});
  }
  result.source = {.value = AddOnce(plan.key, view,
                                    {.layer = std::move(plan.layer),
                                     .weights = {},
                                     .bias = {},
                                     .input = input,
                                     .nodes = {}})};
  result.index = std::move(plan.index);
  result.nodes.clear();
  return result;
}

View Conversion::RealiseParts(const View& view) {
  const std::size_t value = view.source.value;
  const SampleShape shape = draft_.shape(value);
  bool has_negative = false;
  for (const std::uint32_t element : view.index) {
    has_negative = has_negative || (element != kNoElement && element % 2 == 1);
  }
  DraftLayer layer{
      .layer = ConcatenatedReluLayer{}, .weights = {}, .bias = {}, .input = value, .nodes = {}};
  if (!has_negative) {
    layer.layer = PReluLayer{.slopes = std::vector<float>(shape.channels, 0.0F)};
  }
  View result = view;
  result.source = {
      .value = AddOnce(has_negative ? "concatenated ReLU" : "ReLU", view, std::move(layer))};
  for (std::uint32_t& element : result.index) {
    if (element == kNoElement) continue;
    element = static_cast<std::uint32_t>(element / 2 + element % 2 * shape.size());
  }
  result.nodes.clear();
  return result;
}

absl::StatusOr<View> Conversion::Realise(View view) {
  view.is_exclusive = view.is_exclusive && view.source.kind == Source::Kind::kValue;
  if (view.source.kind == Source::Kind::kOrder) return RealiseOrder(view);
  if (view.source.kind == Source::Kind::kParts) return RealiseParts(view);
  if (view.source.kind == Source::Kind::kSquare) {
    return absl::InvalidArgumentError(
        "expected squares in an L2-norm pool only, got others; a square has no Lipschitz bound");
  }
  return view;
}

absl::StatusOr<View> Conversion::AddScaling(const View& view) {
  const std::size_t value = view.source.value;
  SampleShape shape = draft_.shape(value);
  const std::vector<double> all_scales = Numbers(view.scale, view.size(), 1.0);
  const std::vector<double> all_shifts = Numbers(view.shift, view.size(), 0.0);
  std::vector<double> scale = PerChannel(view, shape, all_scales, 1.0);
  std::vector<double> shift = PerChannel(view, shape, all_shifts, 0.0);
  View result = view;
  DropScaling(result);
  std::size_t input = value;
  std::string key = "scaling ";
  if (scale.empty() || shift.empty()) {
    const SampleShape flat = {shape.size(), 1, 1};
    scale = PerChannel(view, flat, all_scales, 1.0);
    shift = PerChannel(view, flat, all_shifts, 0.0);
    if (scale.empty() || shift.empty()) {
      return absl::InvalidArgumentError(
          "expected each number to be scaled and shifted in one way, got one in two ways");
    }
    if (shape != flat) {
      input = AddOnce(
          "flatten", {},
          {.layer = FlattenLayer{}, .weights = {}, .bias = {}, .input = value, .nodes = {}});
    }
    shape = flat;
  }
  for (const auto* const numbers : {&scale, &shift}) {
    for (const double number : *numbers) {
      key.append(reinterpret_cast<const char*>(&number), sizeof(number));
    }
  }
  result.source = {
      .value =
          AddOnce(key, view, ChannelScaling(input, shape, std::move(scale), std::move(shift)))};
  result.nodes.clear();
  result.is_exclusive = false;
  return result;
}

absl::StatusOr<View> Conversion::Purify(View view) {
  LIPSERVE_ASSIGN_OR_RETURN(view, Realise(std::move(view)));
  FoldIntoProducer(view);
  if (view.IsPure()) return view;
  return AddScaling(view);
}

absl::StatusOr<std::size_t> Conversion::ValueOf(View& view) {
  LIPSERVE_ASSIGN_OR_RETURN(view, Purify(std::move(view)));
  const SampleShape shape = ShapeOf(view.dims);
  const SampleShape source = draft_.shape(view.source.value);
  if (source == shape && view.IsIdentity(source.size())) return view.source.value;
  std::vector<bool> seen(source.size());
  for (const std::uint32_t element : view.index) {
    if (element == kNoElement) {
      return absl::InvalidArgumentError(
          "expected numbers that depend on the input, got constants among them; put them into a "
          "convolution's padding or a dense layer");
    }
    if (seen[element]) {
      return absl::InvalidArgumentError(
          "expected each number once, got one that is repeated; only padding before a convolution "
          "may repeat numbers");
    }
    seen[element] = true;
  }
  DraftLayer layer{
      .layer = FlattenLayer{}, .weights = {}, .bias = {}, .input = view.source.value, .nodes = {}};
  std::string key = "flatten";
  if (shape.channels != view.size() || !view.IsIdentity(source.size())) {
    key = absl::StrCat("permutation ", ShapeText(shape), " ");
    key.append(reinterpret_cast<const char*>(view.index.data()),
               view.size() * sizeof(std::uint32_t));
    layer.layer = PermutationLayer{.output = shape, .sources = view.index};
  }
  const std::size_t value = AddOnce(key, view, std::move(layer));
  view.nodes.clear();
  return value;
}

View Conversion::AddLayer(const View& view, DraftLayer layer, Dims dims) {
  layer.nodes.insert(layer.nodes.end(), view.nodes.begin(), view.nodes.end());
  const std::size_t value = draft_.Add(std::move(layer));
  View result = WholeValue(value, draft_.shape(value), std::move(dims));
  result.is_exclusive = true;
  return result;
}

View Conversion::AddElementwise(View view, FrozenLayer layer) {
  view.source = {.value = draft_.Add({.layer = std::move(layer),
                                      .weights = {},
                                      .bias = {},
                                      .input = view.source.value,
                                      .nodes = std::move(view.nodes)})};
  view.nodes.clear();
  view.is_exclusive = false;
  return view;
}

}  // namespace lipserve::exchange
