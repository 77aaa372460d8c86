// SPDX-License-Identifier: Apache-2.0
// Operators that only move numbers: they change the index of a view.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/import/householder.h"
#include "trainer/exchange/import/operators.h"

namespace lipserve::exchange {
namespace {

using Positions = std::vector<std::vector<std::int64_t>>;  // along each axis of a sample

// All positions along each axis.
Positions AllPositions(const Dims& dims) {
  Positions positions(dims.size());
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    positions[axis].resize(static_cast<std::size_t>(dims[axis]));
    std::iota(positions[axis].begin(), positions[axis].end(), std::int64_t{0});
  }
  return positions;
}

struct SliceRange {
  std::int64_t start;
  std::int64_t end;
  std::int64_t step;
};

// The positions that a slice takes of an axis of `length`, as ONNX clamps them.
absl::StatusOr<std::vector<std::int64_t>> SlicePositions(SliceRange range, std::int64_t length) {
  if (range.step == 0 || range.step == std::numeric_limits<std::int64_t>::min()) {
    return absl::InvalidArgumentError(
        absl::StrCat("steps: expected a number other than 0, got ", range.step));
  }
  const auto clamp = [&](std::int64_t at) {
    if (at < 0) at = at < -length ? -1 : at + length;
    const std::int64_t low = range.step > 0 ? 0 : -1;
    return std::clamp(at, low, range.step > 0 ? length : length - 1);
  };
  std::int64_t start = clamp(range.start);
  if (range.start < -length && range.step > 0) start = 0;
  // For a negative step, an end below -length means: up to the first position.
  const std::int64_t end = range.end < -length ? (range.step > 0 ? 0 : -1) : clamp(range.end);
  std::vector<std::int64_t> positions;
  for (std::int64_t at = start; range.step > 0 ? at < end : at > end;) {
    positions.push_back(at);
    if (range.step > 0 ? range.step >= end - at : range.step <= end - at) break;
    at += range.step;
  }
  return positions;
}

absl::StatusOr<PaddingMode> PadMode(const std::string& mode) {
  if (mode == "constant") return PaddingMode::kZero;
  if (mode == "reflect") return PaddingMode::kReflect;
  if (mode == "edge") return PaddingMode::kReplicate;
  if (mode == "wrap") return PaddingMode::kCircular;
  return absl::InvalidArgumentError(
      absl::StrCat("mode: expected constant, reflect, edge or wrap, got ", mode));
}

// The positions of an axis of `length` with its padding; -1 for the constant. Negative paddings
// crop.
absl::StatusOr<std::vector<std::int64_t>> PaddedPositions(std::int64_t length, std::int64_t before,
                                                          std::int64_t after, PaddingMode mode) {
  const WindowAxis axis = {
      .padding_before = static_cast<std::size_t>(std::max<std::int64_t>(before, 0)),
      .padding_after = static_cast<std::size_t>(std::max<std::int64_t>(after, 0))};
  const auto size = static_cast<std::size_t>(length);
  if (!IsValidPadding(axis, mode, size)) {
    return absl::InvalidArgumentError(absl::StrCat("pads: expected paddings that fit the axis of ",
                                                   length, ", got ", before, " and ", after));
  }
  std::vector<std::int64_t> positions;
  for (std::size_t at = 0; at < axis.padded(size); ++at) {
    const auto source = SourcePosition(axis, mode, size, at, 0);
    positions.push_back(source.has_value() ? static_cast<std::int64_t>(*source) : -1);
  }
  const auto drop = [&](std::int64_t count) {
    return std::min<std::int64_t>(std::max<std::int64_t>(-count, 0), std::ssize(positions));
  };
  positions.erase(positions.begin(), positions.begin() + drop(before));
  positions.erase(positions.end() - drop(after), positions.end());
  return positions;
}

Views One(View view) {
  Views views;
  views.push_back(std::move(view));
  return views;
}

// Reshapes to `between`, moves its axes, and gives the result `dims`.
View Rearrange(const View& view, Dims between, std::vector<std::size_t> axes, Dims dims) {
  return WithDims(PermuteAxes(WithDims(view, std::move(between)), axes), std::move(dims));
}

// Views of one source, joined along an axis.
absl::StatusOr<View> Joined(const Views& parts, std::size_t axis) {
  View result{.source = parts[0].source, .dims = parts[0].dims, .index = {}};
  result.dims[axis] = 0;
  bool has_scale = false;
  bool has_shift = false;
  for (const View& part : parts) {
    Dims others = part.dims;
    if (axis < others.size()) others[axis] = result.dims[axis];
    if (others != result.dims) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected parts that differ along the axis only, got ",
                       DimsText(parts[0].dims), " and ", DimsText(part.dims)));
    }
    result.dims[axis] += part.dims[axis];
    AddNodes(part.nodes, result.nodes);
    has_scale = has_scale || !part.scale.empty();
    has_shift = has_shift || !part.shift.empty();
  }
  const std::size_t outer = SizeOf(std::span(result.dims).first(axis));
  const auto append = [&](const View& part, std::size_t i) {
    result.index.push_back(part.index[i]);
    if (has_scale) result.scale.push_back(part.ScaleOf(i));
    if (has_shift) result.shift.push_back(part.ShiftOf(i));
  };
  for (std::size_t o = 0; o < outer; ++o) {
    for (const View& part : parts) {
      const std::size_t length = part.size() / outer;
      for (std::size_t i = o * length; i < (o + 1) * length; ++i) append(part, i);
    }
  }
  return result;
}

absl::StatusOr<std::int64_t> BlockSize(const NodeArguments& arguments, const View& x) {
  const std::int64_t block = arguments.Int("blocksize", 0);
  if (block >= 1 && block <= (std::int64_t{1} << 22) && x.dims.size() == 3) return block;
  return absl::InvalidArgumentError(
      absl::StrCat("expected images and a blocksize of at least 1, got a sample of ",
                   DimsText(x.dims), " and ", block));
}

}  // namespace

absl::StatusOr<Views> ConvertReshape(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  Dims dims = arguments.SampleDims();
  if (SizeOf(dims) != x.size()) {
    return absl::InvalidArgumentError(absl::StrCat("expected ", x.size(),
                                                   " numbers of each sample, got ", DimsText(dims),
                                                   "; a reshape must not mix samples"));
  }
  return One(WithDims(std::move(x), std::move(dims)));
}

absl::StatusOr<Views> ConvertCast(Conversion& conversion, const NodeArguments& arguments) {
  constexpr std::int64_t kFloat = 1;
  constexpr std::int64_t kDouble = 11;
  const std::int64_t to = arguments.Int("to", 0);
  if (to != kFloat && to != kDouble) {
    return absl::InvalidArgumentError(absl::StrCat("to: expected float or double (1 or 11), got ",
                                                   to, ", which would round numbers"));
  }
  return ConvertReshape(conversion, arguments);
}

absl::StatusOr<Views> ConvertTranspose(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View x, InputView(conversion, arguments, 0));
  const std::vector<std::int64_t> perm = arguments.Ints("perm");
  if (perm.size() != x.dims.size() + 1 || perm[0] != 0) {
    return absl::InvalidArgumentError(absl::StrCat("perm: expected ", x.dims.size() + 1,
                                                   " axes, the batch first, got ", DimsText(perm)));
  }
  std::vector<std::size_t> axes;
  for (std::size_t k = 1; k < perm.size(); ++k) {
    LIPSERVE_ASSIGN_OR_RETURN(const std::size_t axis, arguments.SampleAxis(perm[k], x.dims.size()));
    axes.push_back(axis);
  }
  return One(PermuteAxes(x, axes));
}

absl::StatusOr<Views> ConvertSlice(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(const auto starts, arguments.IntsOf("starts", 1));
  LIPSERVE_ASSIGN_OR_RETURN(const auto ends, arguments.IntsOf("ends", 2));
  LIPSERVE_ASSIGN_OR_RETURN(const auto axes, arguments.IntsOf("axes", 3));
  LIPSERVE_ASSIGN_OR_RETURN(const auto steps, arguments.IntsOf("steps", 4));
  if (!starts || !ends || starts->size() != ends->size() ||
      (axes && axes->size() != starts->size()) || (steps && steps->size() != starts->size())) {
    return absl::InvalidArgumentError("expected starts, ends, axes and steps of one length");
  }
  Positions positions = AllPositions(x.dims);
  for (std::size_t k = 0; k < starts->size(); ++k) {
    const std::int64_t axis_number = axes ? (*axes)[k] : static_cast<std::int64_t>(k);
    const SliceRange range = {(*starts)[k], (*ends)[k], steps ? (*steps)[k] : 1};
    const bool is_whole = range.start == 0 && range.step == 1 &&
                          range.end >= std::numeric_limits<std::int32_t>::max();
    if (axis_number == 0 && is_whole) continue;
    LIPSERVE_ASSIGN_OR_RETURN(const std::size_t axis,
                              arguments.SampleAxis(axis_number, x.dims.size()));
    LIPSERVE_ASSIGN_OR_RETURN(positions[axis], SlicePositions(range, x.dims[axis]));
  }
  return One(TakeAlongAxes(x, positions));
}

absl::StatusOr<Views> ConvertSplit(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  conversion.FoldIntoProducer(x);
  x.is_exclusive = false;
  LIPSERVE_ASSIGN_OR_RETURN(const std::size_t axis,
                            arguments.SampleAxis(arguments.Int("axis", 0), x.dims.size()));
  LIPSERVE_ASSIGN_OR_RETURN(const auto given, arguments.IntsOf("split", 1));
  const auto parts = static_cast<std::int64_t>(arguments.node().outputs.size());
  std::vector<std::int64_t> sizes;
  if (given) {
    sizes = *given;
  } else {
    const std::int64_t size = (x.dims[axis] + parts - 1) / parts;
    for (std::int64_t left = x.dims[axis]; left > 0; left -= size) {
      sizes.push_back(std::min(size, left));
    }
  }
  if (std::ssize(sizes) != parts ||
      std::any_of(sizes.begin(), sizes.end(), [](auto s) { return s < 0; }) ||
      std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) != x.dims[axis]) {
    return absl::InvalidArgumentError(absl::StrCat("split: expected ", parts,
                                                   " sizes with a sum of ", x.dims[axis], ", got ",
                                                   DimsText(sizes)));
  }
  Views views;
  std::int64_t start = 0;
  for (const std::int64_t size : sizes) {
    Positions positions = AllPositions(x.dims);
    positions[axis].resize(static_cast<std::size_t>(size));
    std::iota(positions[axis].begin(), positions[axis].end(), start);
    start += size;
    views.push_back(TakeAlongAxes(x, positions));
  }
  return views;
}

absl::StatusOr<Views> ConvertConcat(Conversion& conversion, const NodeArguments& arguments) {
  if (auto householder = HouseholderOf(conversion, arguments)) {
    return One(*std::move(householder));
  }
  Views parts;
  for (std::size_t i = 0; i < arguments.node().inputs.size(); ++i) {
    LIPSERVE_ASSIGN_OR_RETURN(View part, InputView(conversion, arguments, i));
    if (i > 0 && part.source != parts[0].source) {
      return absl::InvalidArgumentError(
          "expected parts of one value of the network, got those of two; a network of frozen "
          "layers adds branches, but cannot join them");
    }
    parts.push_back(std::move(part));
  }
  LIPSERVE_ASSIGN_OR_RETURN(const std::size_t axis,
                            arguments.SampleAxis(arguments.Int("axis", 0), parts[0].dims.size()));
  LIPSERVE_ASSIGN_OR_RETURN(View joined, Joined(parts, axis));
  return One(std::move(joined));
}

absl::StatusOr<Views> ConvertGather(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(const std::size_t axis,
                            arguments.SampleAxis(arguments.Int("axis", 0), x.dims.size()));
  LIPSERVE_ASSIGN_OR_RETURN(const auto indices, arguments.IntsOf("indices", 1));
  Positions positions = AllPositions(x.dims);
  positions[axis].clear();
  for (std::int64_t at : indices.value_or(std::vector<std::int64_t>())) {
    if (at < 0) at += x.dims[axis];
    if (at < 0 || at >= x.dims[axis]) {
      return absl::InvalidArgumentError(
          absl::StrCat("indices: expected below ", x.dims[axis], ", got ", at));
    }
    positions[axis].push_back(at);
  }
  View taken = TakeAlongAxes(x, positions);
  if (SizeOf(arguments.SampleDims()) != taken.size()) {
    return absl::InvalidArgumentError("expected indices that are constant, got others");
  }
  return One(WithDims(std::move(taken), arguments.SampleDims()));
}

absl::StatusOr<Views> ConvertPad(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(const auto pads, arguments.IntsOf("pads", 1));
  LIPSERVE_ASSIGN_OR_RETURN(const auto axes, arguments.IntsOf("axes", 3));
  LIPSERVE_ASSIGN_OR_RETURN(const PaddingMode mode, PadMode(arguments.Text("mode", "constant")));
  double fill = arguments.Float("value", 0.0);
  if (const Tensor* const value = arguments.Constant(2)) {
    const std::vector<double> numbers = NumbersOf(*value);
    fill = numbers.empty() ? 0.0 : numbers[0];
  } else if (arguments.HasInput(2)) {
    return absl::InvalidArgumentError("expected a constant value around the image, got another");
  }
  const std::size_t count = axes ? axes->size() : x.dims.size() + 1;
  if (!pads || pads->size() != 2 * count) {
    return absl::InvalidArgumentError(absl::StrCat("pads: expected ", 2 * count, " numbers, got ",
                                                   pads ? DimsText(*pads) : std::string("none")));
  }
  Positions positions = AllPositions(x.dims);
  for (std::size_t k = 0; k < count; ++k) {
    const std::int64_t before = (*pads)[k];
    const std::int64_t after = (*pads)[k + count];
    if (before == 0 && after == 0) continue;
    LIPSERVE_ASSIGN_OR_RETURN(
        const std::size_t axis,
        arguments.SampleAxis(axes ? (*axes)[k] : static_cast<std::int64_t>(k), x.dims.size()));
    LIPSERVE_ASSIGN_OR_RETURN(positions[axis], PaddedPositions(x.dims[axis], before, after, mode));
  }
  return One(TakeAlongAxes(x, positions, fill));
}

absl::StatusOr<Views> ConvertExpand(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(View result, BroadcastTo(x, arguments.SampleDims()));
  return One(std::move(result));
}

absl::StatusOr<Views> ConvertDepthToSpace(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(const std::int64_t b, BlockSize(arguments, x));
  const std::int64_t channels = x.dims[0] / (b * b);
  if (channels * b * b != x.dims[0]) {
    return absl::InvalidArgumentError(absl::StrCat("blocksize: expected one whose square divides ",
                                                   x.dims[0], " channels, got ", b));
  }
  const std::int64_t h = x.dims[1];
  const std::int64_t w = x.dims[2];
  const Dims dims = {channels, h * b, w * b};
  if (arguments.Text("mode", "DCR") == "CRD") {
    return One(Rearrange(x, {channels, b, b, h, w}, {0, 3, 1, 4, 2}, dims));
  }
  return One(Rearrange(x, {b, b, channels, h, w}, {2, 3, 0, 4, 1}, dims));
}

absl::StatusOr<Views> ConvertSpaceToDepth(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(const std::int64_t b, BlockSize(arguments, x));
  const std::int64_t c = x.dims[0];
  const std::int64_t h = x.dims[1] / b;
  const std::int64_t w = x.dims[2] / b;
  if (h * b != x.dims[1] || w * b != x.dims[2]) {
    return absl::InvalidArgumentError(
        absl::StrCat("blocksize: expected one that divides ", DimsText(x.dims), ", got ", b));
  }
  return One(Rearrange(x, {c, h, b, w, b}, {2, 4, 0, 1, 3}, {b * b * c, h, w}));
}

}  // namespace lipserve::exchange
