// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/householder.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace lipserve::exchange {
namespace {

// Exporters round sines and cosines to float32 one by one.
constexpr double kRounding = 1e-6;
constexpr int kMostSteps = 4;  // sums within a linear combination

// Which of two values a mask chooses, number by number.
struct Choice {
  ValueId selector = 0;
  ValueId if_positive = 0;
  ValueId otherwise = 0;
};

// selector > 0, or selector <= 0, as a mask.
struct Mask {
  ValueId selector = 0;
  bool is_positive = false;
};

std::optional<Mask> MaskOf(const Conversion& conversion, ValueId value) {
  const Graph& graph = conversion.graph();
  const Node* node = conversion.ProducerOf(value);
  if (node != nullptr && node->op == "Cast") node = conversion.ProducerOf(node->inputs[0]);
  if (node == nullptr || node->inputs.size() != 2) return std::nullopt;
  const bool is_positive = node->op == "Greater" || node->op == "GreaterOrEqual";
  if (!is_positive && node->op != "LessOrEqual" && node->op != "Less") return std::nullopt;
  const Value& limit = graph.values[node->inputs[1]];
  if (!limit.is_constant) return std::nullopt;
  const std::vector<double> numbers = NumbersOf(limit.constant);
  if (numbers.size() != 1 || numbers[0] != 0.0) return std::nullopt;
  return Mask{.selector = node->inputs[0], .is_positive = is_positive};
}

// A Where, or the sum of two products with opposite masks.
std::optional<Choice> ChoiceOf(const Conversion& conversion, ValueId value) {
  const Node* const node = conversion.ProducerOf(value);
  if (node == nullptr) return std::nullopt;
  if (node->op == "Where") {
    const auto mask = MaskOf(conversion, node->inputs[0]);
    if (!mask) return std::nullopt;
    const std::size_t positive = mask->is_positive ? 1 : 2;
    return Choice{mask->selector, node->inputs[positive], node->inputs[3 - positive]};
  }
  if (node->op != "Add") return std::nullopt;
  std::optional<ValueId> selector;
  std::optional<ValueId> chosen[2];  // where the selector is not positive, and where it is
  for (const ValueId term : node->inputs) {
    const Node* const product = conversion.ProducerOf(term);
    if (product == nullptr || product->op != "Mul") return std::nullopt;
    for (const std::size_t k : {std::size_t{0}, std::size_t{1}}) {
      const auto mask = MaskOf(conversion, product->inputs[k]);
      if (!mask || (selector && *selector != mask->selector)) continue;
      selector = mask->selector;
      chosen[mask->is_positive ? 1 : 0] = product->inputs[1 - k];
      break;
    }
  }
  if (!selector || !chosen[0] || !chosen[1]) return std::nullopt;
  return Choice{*selector, *chosen[1], *chosen[0]};
}

// first x + second y, number by number.
struct Combination {
  std::vector<double> first;
  std::vector<double> second;
};

// A value as a combination of two halves.
std::optional<Combination> CombinationOf(const Conversion& conversion, ValueId value, const View& x,
                                         const View& y, int steps = kMostSteps) {
  const auto& shared = conversion.ViewOf(value);
  const std::size_t size = x.size();
  if (shared.ok() && (*shared)->source == x.source && (*shared)->shift.empty() &&
      ((*shared)->index == x.index || (*shared)->index == y.index)) {
    Combination leaf{std::vector<double>(size, 0.0), std::vector<double>(size, 0.0)};
    auto& scales = (*shared)->index == x.index ? leaf.first : leaf.second;
    for (std::size_t i = 0; i < size; ++i) scales[i] = (*shared)->ScaleOf(i);
    return leaf;
  }
  const Node* const node = conversion.ProducerOf(value);
  if (steps == 0 || node == nullptr || (node->op != "Add" && node->op != "Sub")) {
    return std::nullopt;
  }
  auto left = CombinationOf(conversion, node->inputs[0], x, y, steps - 1);
  const auto right = CombinationOf(conversion, node->inputs[1], x, y, steps - 1);
  if (!left || !right) return std::nullopt;
  const double sign = node->op == "Add" ? 1.0 : -1.0;
  for (std::size_t i = 0; i < size; ++i) {
    left->first[i] += sign * right->first[i];
    left->second[i] += sign * right->second[i];
  }
  return left;
}

// The direction v at one number, from the reflection's matrix and the selector; none if it is not
// z - v <v, z> or the selector does not point along v.
struct Direction {
  double first = 0.0;
  double second = 0.0;
};

std::optional<Direction> DirectionOf(const Combination& a, const Combination& b,
                                     const Combination& selector, std::size_t i) {
  const double length = std::hypot(selector.first[i], selector.second[i]);
  const double square = 2.0 - a.first[i] - b.second[i];  // ||v||^2
  if (!(length > 0.0) || !(square > 0.0)) return std::nullopt;
  const double scale = std::sqrt(square) / length;
  const Direction v = {scale * selector.first[i], scale * selector.second[i]};
  const bool fits = std::abs(1.0 - v.first * v.first - a.first[i]) <= kRounding &&
                    std::abs(-v.first * v.second - a.second[i]) <= kRounding &&
                    std::abs(-v.first * v.second - b.first[i]) <= kRounding &&
                    std::abs(1.0 - v.second * v.second - b.second[i]) <= kRounding;
  return fits ? std::optional(v) : std::nullopt;
}

// Whether x and y are the halves of the channels of a value of `shape`, in order.
bool AreHalves(const View& x, const View& y, const SampleShape& shape) {
  if (shape.channels % 2 != 0 || 2 * x.size() != shape.size() || y.size() != x.size()) return false;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x.index[i] != i || y.index[i] != x.size() + i) return false;
  }
  return true;
}

// The directions of all channels; empty if the halves are not reflected like that.
std::vector<float> DirectionsOf(const Combination& a, const Combination& b,
                                const Combination& selector, std::size_t positions) {
  std::vector<float> directions;
  for (std::size_t i = 0; i < a.first.size(); ++i) {
    const auto v = DirectionOf(a, b, selector, i);
    if (!v) return {};
    const float rounded[] = {static_cast<float>(v->first), static_cast<float>(v->second)};
    if (i % positions == 0) directions.insert(directions.end(), rounded, rounded + 2);
    if (!std::equal(rounded, rounded + 2, directions.end() - 2)) return {};
  }
  return directions;
}

// half - factors relu(selector).
struct Step {
  ValueId half = 0;
  ValueId selector = 0;
  std::vector<double> factors;  // one for each channel
};

std::optional<Step> StepOf(const Conversion& conversion, ValueId value) {
  const Node* const node = conversion.ProducerOf(value);
  if (node == nullptr || node->op != "Sub") return std::nullopt;
  const Node* const product = conversion.ProducerOf(node->inputs[1]);
  if (product == nullptr || product->op != "Mul") return std::nullopt;
  for (const std::size_t k : {std::size_t{0}, std::size_t{1}}) {
    const Node* const relu = conversion.ProducerOf(product->inputs[k]);
    const Value& factors = conversion.graph().values[product->inputs[1 - k]];
    if (relu == nullptr || relu->op != "Relu" || !factors.is_constant) continue;
    return Step{node->inputs[0], relu->inputs[0], NumbersOf(factors.constant)};
  }
  return std::nullopt;
}

// The halves that a layer reads, and its directions.
struct Reflection {
  View x;
  View y;
  SampleShape shape;  // of both together
  std::vector<float> directions;
  bool is_rounded = false;
};

// The views of two halves of one value; none if they are not that.
std::optional<Reflection> HalvesOf(Conversion& conversion, ValueId first, ValueId second) {
  const auto& x = conversion.ViewOf(first);
  const auto& y = conversion.ViewOf(second);
  if (!x.ok() || !y.ok() || (*x)->source != (*y)->source || !(*x)->IsPure() || !(*y)->IsPure() ||
      (*x)->source.kind != Source::Kind::kValue) {
    return std::nullopt;
  }
  const SampleShape shape = conversion.draft().shape((*x)->source.value);
  if (!AreHalves(**x, **y, shape)) return std::nullopt;
  return Reflection{.x = **x, .y = **y, .shape = shape, .directions = {}};
}

// (x, y) - v relu(<v, (x, y)>), with the same v in both places.
std::optional<Reflection> StepForm(Conversion& conversion, ValueId first, ValueId second) {
  const auto a = StepOf(conversion, first);
  const auto b = StepOf(conversion, second);
  if (!a || !b || a->selector != b->selector) return std::nullopt;
  std::optional<Reflection> result = HalvesOf(conversion, a->half, b->half);
  if (!result) return std::nullopt;
  const auto selector = CombinationOf(conversion, a->selector, result->x, result->y);
  const std::size_t pairs = result->shape.channels / 2;
  if (!selector || a->factors.size() != pairs || b->factors.size() != pairs) return std::nullopt;
  const std::size_t positions = result->shape.height * result->shape.width;
  for (std::size_t i = 0; i < selector->first.size(); ++i) {
    const std::size_t pair = i / positions;
    if (selector->first[i] != a->factors[pair] || selector->second[i] != b->factors[pair]) {
      return std::nullopt;
    }
  }
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    for (const double v : {a->factors[pair], b->factors[pair]}) {
      result->directions.push_back(static_cast<float>(v));
      if (static_cast<double>(result->directions.back()) != v) return std::nullopt;
    }
  }
  return result;
}

// (x, y) or its reflection, as a mask chooses.
std::optional<Reflection> ChoiceForm(Conversion& conversion, ValueId x, ValueId y) {
  const auto first = ChoiceOf(conversion, x);
  const auto second = ChoiceOf(conversion, y);
  if (!first || !second || first->selector != second->selector) return std::nullopt;
  std::optional<Reflection> result = HalvesOf(conversion, first->otherwise, second->otherwise);
  if (!result) return std::nullopt;
  const auto a = CombinationOf(conversion, first->if_positive, result->x, result->y);
  const auto b = CombinationOf(conversion, second->if_positive, result->x, result->y);
  const auto selector = CombinationOf(conversion, first->selector, result->x, result->y);
  if (!a || !b || !selector) return std::nullopt;
  result->directions = DirectionsOf(*a, *b, *selector, result->shape.height * result->shape.width);
  result->is_rounded = true;
  return result;
}

}  // namespace

std::optional<View> HouseholderOf(Conversion& conversion, const NodeArguments& concat) {
  const std::vector<ValueId>& inputs = concat.node().inputs;
  if (inputs.size() != 2) return std::nullopt;
  std::optional<Reflection> reflection = StepForm(conversion, inputs[0], inputs[1]);
  if (!reflection) reflection = ChoiceForm(conversion, inputs[0], inputs[1]);
  if (!reflection || reflection->directions.empty()) return std::nullopt;
  if (reflection->is_rounded) conversion.draft().CountRounded(reflection->directions.size());
  View whole = WholeValue(reflection->x.source.value, reflection->shape, concat.SampleDims());
  whole.nodes = reflection->x.nodes;
  AddNodes({conversion.current()}, whole.nodes);
  return conversion.AddElementwise(
      std::move(whole), HouseholderLayer{.directions = std::move(reflection->directions)});
}

}  // namespace lipserve::exchange
