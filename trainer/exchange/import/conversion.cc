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
  GiveNodes(view, view.source.value);
}

std::size_t Conversion::AddOnce(const std::string& key, DraftLayer layer) {
  const auto [entry, is_new] = once_.try_emplace(absl::StrCat(layer.input, " ", key), 0);
  if (is_new) entry->second = draft_.Add(std::move(layer));
  return entry->second;
}

void Conversion::GiveNodes(View& view, std::size_t value) {
  const bool has_current = !view.nodes.empty() && view.nodes.back() == current_;
  if (has_current) view.nodes.pop_back();
  AddNodes(view.nodes, draft_.producer(value)->nodes);
  view.nodes.clear();
  if (has_current) view.nodes.push_back(current_);
}

absl::StatusOr<View> Conversion::RealiseOrder(View view) {
  const std::size_t value = view.source.value;
  LIPSERVE_ASSIGN_OR_RETURN(SortPlan plan,
                            PlanSort(orders_[value], draft_.shape(value), view.index));
  std::size_t input = value;
  if (!plan.permutation.sources.empty()) {
    input = AddOnce(absl::StrCat("before ", plan.key), LayerOn(value, std::move(plan.permutation)));
  }
  view.source = {.value = AddOnce(plan.key, LayerOn(input, std::move(plan.layer)))};
  view.index = std::move(plan.index);
  GiveNodes(view, view.source.value);
  return view;
}

View Conversion::RealiseParts(View view) {
  const std::size_t value = view.source.value;
  const SampleShape shape = draft_.shape(value);
  bool has_negative = false;
  for (const std::uint32_t element : view.index) {
    has_negative = has_negative || (element != kNoElement && element % 2 == 1);
  }
  FrozenLayer layer = ConcatenatedReluLayer{};
  if (!has_negative) layer = PReluLayer{.slopes = std::vector<float>(shape.channels, 0.0F)};
  view.source = {.value = AddOnce(has_negative ? "concatenated ReLU" : "ReLU",
                                  LayerOn(value, std::move(layer)))};
  for (std::uint32_t& element : view.index) {
    if (element == kNoElement) continue;
    element = static_cast<std::uint32_t>(element / 2 + element % 2 * shape.size());
  }
  GiveNodes(view, view.source.value);
  return view;
}

absl::StatusOr<View> Conversion::Realise(View view) {
  view.is_exclusive = view.is_exclusive && view.source.kind == Source::Kind::kValue;
  if (view.source.kind == Source::Kind::kOrder) return RealiseOrder(std::move(view));
  if (view.source.kind == Source::Kind::kParts) return RealiseParts(std::move(view));
  if (view.source.kind == Source::Kind::kSquare) {
    return absl::InvalidArgumentError(
        "expected squares in an L2-norm pool only, got others; a square has no Lipschitz bound");
  }
  return view;
}

absl::StatusOr<View> Conversion::AddScaling(View view) {
  std::size_t input = view.source.value;
  SampleShape shape = draft_.shape(input);
  const std::vector<double> all_scales = Numbers(view.scale, view.size(), 1.0);
  const std::vector<double> all_shifts = Numbers(view.shift, view.size(), 0.0);
  std::vector<double> scale = PerChannel(view, shape, all_scales, 1.0);
  std::vector<double> shift = PerChannel(view, shape, all_shifts, 0.0);
  if (scale.empty() || shift.empty()) {
    const SampleShape flat = {shape.size(), 1, 1};
    scale = PerChannel(view, flat, all_scales, 1.0);
    shift = PerChannel(view, flat, all_shifts, 0.0);
    if (scale.empty() || shift.empty()) {
      return absl::InvalidArgumentError(
          "expected each number to be scaled and shifted in one way, got one in two ways");
    }
    if (shape != flat) input = AddOnce("flatten", LayerOn(input, FlattenLayer{}));
    shape = flat;
  }
  std::string key = "scaling ";
  for (const auto* const numbers : {&scale, &shift}) {
    key.append(reinterpret_cast<const char*>(numbers->data()), numbers->size() * sizeof(double));
  }
  DropScaling(view);
  view.source = {
      .value = AddOnce(key, ChannelScaling(input, shape, std::move(scale), std::move(shift)))};
  GiveNodes(view, view.source.value);
  view.is_exclusive = false;
  return view;
}

absl::StatusOr<View> Conversion::Purify(View view) {
  LIPSERVE_ASSIGN_OR_RETURN(view, Realise(std::move(view)));
  FoldIntoProducer(view);
  if (view.IsPure()) return view;
  return AddScaling(std::move(view));
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
  std::string key = "flatten";
  DraftLayer layer = LayerOn(view.source.value, FlattenLayer{});
  if (shape.channels != view.size() || !view.IsIdentity(source.size())) {
    key = absl::StrCat("permutation ", DescribeShape(shape), " ");
    key.append(reinterpret_cast<const char*>(view.index.data()),
               view.size() * sizeof(std::uint32_t));
    layer.layer = PermutationLayer{.output = shape, .sources = view.index};
  }
  const std::size_t value = AddOnce(key, std::move(layer));
  GiveNodes(view, value);
  return value;
}

View Conversion::AddLayer(const View& view, DraftLayer layer, Dims dims) {
  AddNodes(view.nodes, layer.nodes);
  const std::size_t value = draft_.Add(std::move(layer));
  View result = WholeValue(value, draft_.shape(value), std::move(dims));
  result.is_exclusive = true;
  return result;
}

View Conversion::AddElementwise(View view, FrozenLayer layer) {
  view.source = {.value = draft_.Add(LayerOn(view.source.value, std::move(layer)))};
  draft_.producer(view.source.value)->nodes = std::move(view.nodes);
  view.nodes.clear();
  view.is_exclusive = false;
  return view;
}

}  // namespace lipserve::exchange
