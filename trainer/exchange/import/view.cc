// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/view.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lipserve::exchange {

bool View::HasConstants() const {
  return std::find(index.begin(), index.end(), kNoElement) != index.end();
}

bool View::IsPure() const {
  for (std::size_t i = 0; i < index.size(); ++i) {
    if (!IsConstant(i) && (ScaleOf(i) != 1.0 || ShiftOf(i) != 0.0)) return false;
  }
  return true;
}

bool View::IsIdentity(std::size_t source_size) const {
  if (index.size() != source_size) return false;
  for (std::size_t i = 0; i < index.size(); ++i) {
    if (index[i] != i) return false;
  }
  return true;
}

std::size_t SizeOf(std::span<const std::int64_t> dims) {
  std::size_t size = 1;
  for (const std::int64_t dim : dims) size *= static_cast<std::size_t>(dim);
  return size;
}

std::string DimsText(std::span<const std::int64_t> dims) {
  return absl::StrCat("[", absl::StrJoin(dims, ", "), "]");
}

SampleShape ShapeOf(std::span<const std::int64_t> dims) {
  const auto at = [&dims](std::size_t i) { return static_cast<std::size_t>(dims[i]); };
  if (dims.size() == 3) return {at(0), at(1), at(2)};
  if (dims.size() == 2) return {at(0), 1, at(1)};
  return {SizeOf(dims), 1, 1};
}

View WholeValue(std::size_t value, const SampleShape& shape, Dims dims) {
  assert(SizeOf(dims) == shape.size());
  View view{.source = {.value = value}, .dims = std::move(dims), .index = {}};
  view.index.resize(shape.size());
  std::iota(view.index.begin(), view.index.end(), std::uint32_t{0});
  return view;
}

void AddNodes(const std::vector<std::size_t>& from, std::vector<std::size_t>& nodes) {
  std::vector<std::size_t> all;
  std::set_union(nodes.begin(), nodes.end(), from.begin(), from.end(), std::back_inserter(all));
  nodes = std::move(all);
}

View Select(const View& view, Dims dims, std::span<const std::uint32_t> positions, double fill) {
  assert(SizeOf(dims) == positions.size());
  View result{.source = view.source,
              .dims = std::move(dims),
              .index = std::vector<std::uint32_t>(positions.size(), kNoElement),
              .nodes = view.nodes,
              .is_exclusive = view.is_exclusive};
  const bool fills = std::find(positions.begin(), positions.end(), kNoElement) != positions.end();
  if (!view.scale.empty()) result.scale.resize(positions.size(), 1.0);
  if (!view.shift.empty() || (fills && fill != 0.0)) result.shift.resize(positions.size(), 0.0);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const std::uint32_t from = positions[i];
    if (from != kNoElement) {
      result.index[i] = view.index[from];
      if (!result.scale.empty()) result.scale[i] = view.ScaleOf(from);
    }
    if (!result.shift.empty()) result.shift[i] = from == kNoElement ? fill : view.ShiftOf(from);
  }
  return result;
}

View TakeAlongAxes(const View& view, const std::vector<std::vector<std::int64_t>>& positions,
                   double fill) {
  assert(positions.size() == view.dims.size());
  std::vector<std::int64_t> taken = {0};  // positions of the leading axes, row-major
  Dims dims;
  for (std::size_t axis = 0; axis < positions.size(); ++axis) {
    std::vector<std::int64_t> next;
    next.reserve(taken.size() * positions[axis].size());
    for (const std::int64_t before : taken) {
      for (const std::int64_t position : positions[axis]) {
        const bool is_fill = before < 0 || position < 0;
        next.push_back(is_fill ? -1 : before * view.dims[axis] + position);
      }
    }
    taken = std::move(next);
    dims.push_back(static_cast<std::int64_t>(positions[axis].size()));
  }
  std::vector<std::uint32_t> plan(taken.size());
  for (std::size_t i = 0; i < taken.size(); ++i) {
    plan[i] = taken[i] < 0 ? kNoElement : static_cast<std::uint32_t>(taken[i]);
  }
  return Select(view, std::move(dims), plan, fill);
}

View PermuteAxes(const View& view, std::span<const std::size_t> axes) {
  const std::size_t rank = view.dims.size();
  assert(axes.size() == rank);
  std::vector<std::int64_t> strides(rank, 1);
  for (std::size_t axis = rank; axis-- > 1;) strides[axis - 1] = strides[axis] * view.dims[axis];
  Dims dims;
  for (const std::size_t axis : axes) dims.push_back(view.dims[axis]);
  std::vector<std::uint32_t> plan(view.size());
  std::vector<std::int64_t> at(rank, 0);
  std::int64_t position = 0;
  for (std::uint32_t& from : plan) {
    from = static_cast<std::uint32_t>(position);
    for (std::size_t k = rank; k-- > 0;) {
      position += strides[axes[k]];
      if (++at[k] < dims[k]) break;
      position -= at[k] * strides[axes[k]];
      at[k] = 0;
    }
  }
  return Select(view, std::move(dims), plan);
}

View WithDims(View view, Dims dims) {
  assert(SizeOf(dims) == view.size());
  view.dims = std::move(dims);
  return view;
}

absl::StatusOr<View> BroadcastTo(const View& view, const Dims& dims) {
  if (view.dims == dims) return view;
  Dims padded = view.dims;
  if (padded.size() < dims.size()) padded.insert(padded.begin(), dims.size() - padded.size(), 1);
  if (padded.size() != dims.size()) {
    return absl::InvalidArgumentError(absl::StrCat("expected a sample that broadcasts to ",
                                                   DimsText(dims), ", got ", DimsText(view.dims)));
  }
  std::vector<std::vector<std::int64_t>> positions(dims.size());
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (padded[axis] != dims[axis] && padded[axis] != 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "expected a sample that broadcasts to ", DimsText(dims), ", got ", DimsText(view.dims)));
    }
    positions[axis].resize(static_cast<std::size_t>(dims[axis]), 0);
    if (padded[axis] == dims[axis]) {
      std::iota(positions[axis].begin(), positions[axis].end(), std::int64_t{0});
    }
  }
  return TakeAlongAxes(WithDims(view, padded), positions);
}

std::vector<double> PerChannel(const View& view, const SampleShape& shape,
                               std::span<const double> values, double unseen) {
  const std::size_t positions = shape.height * shape.width;
  std::vector<double> channels(shape.channels, unseen);
  std::vector<bool> is_seen(shape.channels);
  for (std::size_t i = 0; i < view.size(); ++i) {
    if (view.IsConstant(i)) continue;
    const std::size_t channel = view.index[i] / positions;
    if (is_seen[channel] && channels[channel] != values[i]) return {};
    is_seen[channel] = true;
    channels[channel] = values[i];
  }
  return channels;
}

}  // namespace lipserve::exchange
