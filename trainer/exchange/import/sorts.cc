// SPDX-License-Identifier: Apache-2.0
// Min, Max, ReduceMin, ReduceMax and TopK: order statistics of groups of one value, however a
// GroupSort, MaxMin or FullSort is spelled.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/import/activations.h"
#include "trainer/exchange/import/operators.h"

namespace lipserve::exchange {
namespace {

Views SingleView(View view) {
  Views views;
  views.push_back(std::move(view));
  return views;
}

// Groups of a view: group g holds elements members[g].
using Members = std::vector<std::vector<std::uint32_t>>;

// Whether the members of each group are scaled and shifted alike, by no 0.
bool AreScaledAlike(const View& view, const Members& members) {
  for (const auto& group : members) {
    for (const std::uint32_t i : group) {
      if (view.ScaleOf(i) != view.ScaleOf(group[0]) || view.ShiftOf(i) != view.ShiftOf(group[0]) ||
          view.ScaleOf(i) == 0.0) {
        return false;
      }
    }
  }
  return true;
}

// The order statistics of groups of one size: rank ranks[k] of group g is element g * ranks.size()
// + k of the result.
absl::StatusOr<View> OrderedGroups(Conversion& conversion, View view, const Members& members,
                                   const std::vector<std::size_t>& ranks) {
  if (view.HasConstants()) {
    return absl::InvalidArgumentError(
        "expected numbers that depend on the input, got constants among those to be sorted");
  }
  LIPSERVE_ASSIGN_OR_RETURN(view, conversion.Realise(std::move(view)));
  conversion.FoldIntoProducer(view);
  if (!AreScaledAlike(view, members)) {
    LIPSERVE_ASSIGN_OR_RETURN(view, conversion.Purify(std::move(view)));
  }
  OrderStatistics& orders = conversion.orders(view.source.value);
  View result{.source = {.kind = Source::Kind::kOrder, .value = view.source.value},
              .dims = {},
              .index = {},
              .nodes = view.nodes};
  for (const auto& group : members) {
    std::vector<std::uint32_t> numbers;
    for (const std::uint32_t i : group) numbers.push_back(view.index[i]);
    const std::uint32_t smallest = orders.ElementOf(std::move(numbers));
    const double scale = view.ScaleOf(group[0]);
    for (const std::size_t rank : ranks) {
      const std::size_t at = scale > 0.0 ? rank : group.size() - 1 - rank;
      result.index.push_back(smallest + static_cast<std::uint32_t>(at));
      if (!view.scale.empty()) result.scale.push_back(scale);
      if (!view.shift.empty()) result.shift.push_back(view.ShiftOf(group[0]));
    }
  }
  result.dims = {static_cast<std::int64_t>(result.index.size())};
  return result;
}

// The inputs of a Min or Max, one after the other: [inputs, the output's numbers].
absl::StatusOr<View> Stacked(Conversion& conversion, const NodeArguments& arguments) {
  const Dims dims = arguments.SampleDims();
  View all;
  for (std::size_t input = 0; input < arguments.node().inputs.size(); ++input) {
    LIPSERVE_ASSIGN_OR_RETURN(const View x, InputView(conversion, arguments, input));
    LIPSERVE_ASSIGN_OR_RETURN(View part, BroadcastTo(x, dims));
    if (input == 0) {
      all = std::move(part);
      all.is_exclusive = false;
      continue;
    }
    if (part.source != all.source) {
      return absl::InvalidArgumentError(
          "expected parts of one value of the network, got those of two; sorting layers compare "
          "numbers of one value");
    }
    const std::size_t before = all.size();
    all.index.insert(all.index.end(), part.index.begin(), part.index.end());
    AddNodes(part.nodes, all.nodes);
    if (!all.scale.empty() || !part.scale.empty()) {
      all.scale.resize(before, 1.0);
      for (std::size_t i = 0; i < part.size(); ++i) all.scale.push_back(part.ScaleOf(i));
    }
    if (!all.shift.empty() || !part.shift.empty()) {
      all.shift.resize(before, 0.0);
      for (std::size_t i = 0; i < part.size(); ++i) all.shift.push_back(part.ShiftOf(i));
    }
  }
  all.dims = {static_cast<std::int64_t>(all.size())};
  return all;
}

// min(x, c) or max(x, c) with a constant c.
absl::StatusOr<View> LimitedByConstant(Conversion& conversion, const NodeArguments& arguments,
                                       bool is_max) {
  const std::size_t variable = IsVariable(conversion, arguments, 0) ? 0 : 1;
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, variable));
  const Tensor* const constant = arguments.Constant(1 - variable);
  const std::vector<double> limit =
      constant == nullptr ? std::vector<double>() : NumbersOf(*constant);
  if (arguments.node().inputs.size() != 2 || limit.size() != 1 ||
      arguments.SampleDims() != x.dims) {
    return absl::InvalidArgumentError("expected parts of one value, or one constant limit");
  }
  return Limited(conversion, std::move(x), is_max ? std::optional(limit[0]) : std::nullopt,
                 is_max ? std::nullopt : std::optional(limit[0]));
}

absl::StatusOr<Views> MinOrMax(Conversion& conversion, const NodeArguments& arguments,
                               bool is_max) {
  const std::size_t inputs = arguments.node().inputs.size();
  for (std::size_t input = 0; input < inputs; ++input) {
    if (IsVariable(conversion, arguments, input)) continue;
    LIPSERVE_ASSIGN_OR_RETURN(View limited, LimitedByConstant(conversion, arguments, is_max));
    return SingleView(std::move(limited));
  }
  LIPSERVE_ASSIGN_OR_RETURN(View all, Stacked(conversion, arguments));
  if (inputs == 1) return SingleView(WithDims(std::move(all), arguments.SampleDims()));
  const std::size_t size = all.size() / inputs;
  Members members(size);
  for (std::size_t i = 0; i < all.size(); ++i) {
    members[i % size].push_back(static_cast<std::uint32_t>(i));
  }
  LIPSERVE_ASSIGN_OR_RETURN(
      View ordered, OrderedGroups(conversion, std::move(all), members, {is_max ? inputs - 1 : 0}));
  return SingleView(WithDims(std::move(ordered), arguments.SampleDims()));
}

// The axes of a sample that a reduction takes; all but the batch if the node says so.
absl::StatusOr<std::vector<std::size_t>> ReducedAxes(const NodeArguments& arguments,
                                                     const View& x) {
  LIPSERVE_ASSIGN_OR_RETURN(const auto axes, arguments.IntsOf("axes", 1));
  std::vector<std::size_t> reduced;
  for (const std::int64_t number : axes.value_or(std::vector<std::int64_t>{0})) {
    LIPSERVE_ASSIGN_OR_RETURN(const std::size_t axis, arguments.SampleAxis(number, x.dims.size()));
    reduced.push_back(axis);
  }
  std::sort(reduced.begin(), reduced.end());
  return reduced;
}

absl::StatusOr<Views> ReduceMinOrMax(Conversion& conversion, const NodeArguments& arguments,
                                     bool is_max) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(const std::vector<std::size_t> reduced, ReducedAxes(arguments, x));
  std::vector<std::size_t> order;
  std::size_t groups = 1;
  for (std::size_t axis = 0; axis < x.dims.size(); ++axis) {
    if (std::find(reduced.begin(), reduced.end(), axis) != reduced.end()) continue;
    order.push_back(axis);
    groups *= static_cast<std::size_t>(x.dims[axis]);
  }
  order.insert(order.end(), reduced.begin(), reduced.end());
  x = PermuteAxes(x, order);
  const std::size_t size = groups == 0 ? 0 : x.size() / groups;
  if (size == 0) return absl::InvalidArgumentError("expected numbers to reduce, got none");
  if (size == 1) return SingleView(WithDims(std::move(x), arguments.SampleDims()));
  Members members(groups);
  for (std::size_t i = 0; i < x.size(); ++i) {
    members[i / size].push_back(static_cast<std::uint32_t>(i));
  }
  LIPSERVE_ASSIGN_OR_RETURN(
      View ordered, OrderedGroups(conversion, std::move(x), members, {is_max ? size - 1 : 0}));
  return SingleView(WithDims(std::move(ordered), arguments.SampleDims()));
}

}  // namespace

absl::StatusOr<Views> ConvertMin(Conversion& conversion, const NodeArguments& arguments) {
  return MinOrMax(conversion, arguments, false);
}

absl::StatusOr<Views> ConvertMax(Conversion& conversion, const NodeArguments& arguments) {
  return MinOrMax(conversion, arguments, true);
}

absl::StatusOr<Views> ConvertReduceMin(Conversion& conversion, const NodeArguments& arguments) {
  return ReduceMinOrMax(conversion, arguments, false);
}

absl::StatusOr<Views> ConvertReduceMax(Conversion& conversion, const NodeArguments& arguments) {
  return ReduceMinOrMax(conversion, arguments, true);
}

absl::StatusOr<Views> ConvertTopK(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(const std::size_t axis,
                            arguments.SampleAxis(arguments.Int("axis", -1), x.dims.size()));
  const Dims dims = arguments.SampleDims();
  const auto length = static_cast<std::size_t>(x.dims[axis]);
  if (dims != x.dims || arguments.Int("sorted", 1) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected all numbers of the axis, sorted (k = ", length, "), got ",
                     DimsText(dims), "; a part of a sort is no frozen layer"));
  }
  // The sorted axis last, and back.
  std::vector<std::size_t> order;
  for (std::size_t k = 0; k < x.dims.size(); ++k) {
    if (k != axis) order.push_back(k);
  }
  order.push_back(axis);
  View last = PermuteAxes(x, order);
  const Dims moved = last.dims;
  std::vector<std::size_t> back(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) back[order[k]] = k;
  Members members(last.size() / length);
  for (std::size_t i = 0; i < last.size(); ++i) {
    members[i / length].push_back(static_cast<std::uint32_t>(i));
  }
  std::vector<std::size_t> ranks(length);
  const bool is_descending = arguments.Int("largest", 1) == 1;
  for (std::size_t k = 0; k < length; ++k) ranks[k] = is_descending ? length - 1 - k : k;
  if (length > 1) {
    LIPSERVE_ASSIGN_OR_RETURN(last, OrderedGroups(conversion, std::move(last), members, ranks));
  }
  Views views = SingleView(PermuteAxes(WithDims(std::move(last), moved), back));
  return views;
}

}  // namespace lipserve::exchange
