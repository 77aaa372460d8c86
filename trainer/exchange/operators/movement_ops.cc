// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/operators/movement_ops.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace lipserve::exchange {
namespace {

constexpr std::size_t kMaxConcatInputs = 100000;
constexpr std::int64_t kMaxPad = std::int64_t{1} << 31;
constexpr std::int64_t kMaxBlock = 1 << 15;

Dims Permuted(const Dims& dims, const std::vector<std::size_t>& order) {
  Dims result;
  for (const std::size_t axis : order) result.push_back(dims[axis]);
  return result;
}

std::vector<std::size_t> TransposeOrder(OperatorCall& call) {
  Dims reversed(call.rank(0));
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  const Dims order = call.Ints("perm", reversed);
  call.Check(order.size() == reversed.size(), "expected a perm of ", reversed.size(), " axes, got ",
             DimsText(order));
  return call.ok() ? call.Axes(order, order.size()) : std::vector<std::size_t>{};
}

void InferTranspose(OperatorCall& call) {
  const std::vector<std::size_t> order = TransposeOrder(call);
  if (call.ok()) call.Output(call.type(0), Permuted(call.dims(0), order));
}

void ComputeTranspose(OperatorCall& call) {
  const Dims strides = Permuted(RowMajorStrides(call.dims(0)), TransposeOrder(call));
  call.CopyElements(0, StridedWalk(call.output_dims(), strides));
}

// Where a Slice starts and steps on every axis, and how many elements it takes.
struct SliceRange {
  Dims starts;
  Dims steps;
  Dims counts;
};

// One axis: start and end as NumPy clamps them.
void SliceAxis(OperatorCall& call, std::size_t axis, std::int64_t start, std::int64_t end,
               std::int64_t step, SliceRange& range) {
  const std::int64_t dim = call.dims(0)[axis];
  if (!call.Check(step != 0, "expected a step other than 0, got 0")) return;
  const std::int64_t lowest = step > 0 ? 0 : -1;
  const std::int64_t highest = step > 0 ? dim : dim - 1;
  // Added only where it cannot overflow.
  const auto clamp = [&](std::int64_t at) {
    return std::clamp(at < 0 ? at + dim : at, lowest, highest);
  };
  start = std::clamp<std::int64_t>(clamp(start), 0, std::max<std::int64_t>(highest, 0));
  end = clamp(end);
  const std::int64_t distance = step > 0 ? end - start : start - end;
  const auto size = static_cast<std::uint64_t>(step);
  const std::uint64_t stride = step > 0 ? size : 0 - size;
  range.starts[axis] = start;
  // A step beyond the axis takes one element; a smaller one changes no offset of it.
  range.steps[axis] = std::clamp(step, -dim - 1, dim + 1);
  range.counts[axis] =
      distance <= 0 ? 0 : ToDim((static_cast<std::uint64_t>(distance) - 1) / stride + 1);
}

SliceRange ReadSlice(OperatorCall& call) {
  constexpr std::int64_t kRangesAreInputs = 10;
  const bool are_inputs = call.opset() >= kRangesAreInputs;
  if (are_inputs && !call.Check(call.Has(1) && call.Has(2), "expected starts and ends, got none")) {
    return {};
  }
  const Dims starts = are_inputs ? call.IntInput(1) : call.Ints("starts", {});
  const Dims ends = are_inputs ? call.IntInput(2) : call.Ints("ends", {});
  Dims axes(starts.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (are_inputs && call.Has(3)) axes = call.IntInput(3);
  if (!are_inputs) axes = call.Ints("axes", axes);
  const Dims steps = are_inputs && call.Has(4) ? call.IntInput(4) : Dims(starts.size(), 1);
  call.Check(
      starts.size() == ends.size() && starts.size() == axes.size() && starts.size() == steps.size(),
      "expected as many starts as ends, axes and steps, got ", starts.size(), ", ", ends.size(),
      ", ", axes.size(), " and ", steps.size());
  if (!call.ok()) return {};
  const std::vector<std::size_t> counted = call.Axes(axes, call.rank(0));
  SliceRange range = {Dims(call.rank(0), 0), Dims(call.rank(0), 1), call.dims(0)};
  for (std::size_t i = 0; call.ok() && i < counted.size(); ++i) {
    SliceAxis(call, counted[i], starts[i], ends[i], steps[i], range);
  }
  return range;
}

void InferSlice(OperatorCall& call) { call.Output(call.type(0), ReadSlice(call).counts); }

void ComputeSlice(OperatorCall& call) {
  const SliceRange range = ReadSlice(call);
  Dims strides = RowMajorStrides(call.dims(0));
  const std::int64_t start =
      std::inner_product(strides.begin(), strides.end(), range.starts.begin(), std::int64_t{0});
  for (std::size_t i = 0; i < strides.size(); ++i) strides[i] *= range.steps[i];
  call.CopyElements(0, StridedWalk(call.output_dims(), strides, start));
}

// How many elements of the axis each output of a Split takes.
Dims SplitSizes(OperatorCall& call, std::int64_t dim) {
  constexpr std::int64_t kSizesAreAnInput = 13;
  if (call.opset() < kSizesAreAnInput ? call.HasAttribute("split") : call.Has(1)) {
    return call.opset() < kSizesAreAnInput ? call.Ints("split", {}) : call.IntInput(1);
  }
  const std::int64_t parts = call.Int("num_outputs", ToDim(call.node().outputs.size()));
  if (!call.Check(parts > 0 && parts <= std::max<std::int64_t>(dim, 1), "expected 1 to ", dim,
                  " outputs, got ", parts)) {
    return {};
  }
  const std::int64_t size = (dim + parts - 1) / parts;
  Dims sizes(ToSize(parts), size);
  sizes.back() = dim - size * (parts - 1);
  return sizes;
}

void InferSplit(OperatorCall& call) {
  const std::size_t axis = call.Axis(call.Int("axis", 0), call.rank(0));
  if (!call.ok()) return;
  const std::int64_t dim = call.dims(0)[axis];
  std::int64_t rest = dim;
  const Dims sizes = SplitSizes(call, dim);
  for (const std::int64_t size : sizes) {
    if (!call.Check(size >= 0 && size <= rest, "expected parts that add up to ", dim, ", got ",
                    DimsText(sizes))) {
      return;
    }
    rest -= size;
    Dims dims = call.dims(0);
    dims[axis] = size;
    call.Output(call.type(0), std::move(dims));
  }
  call.Check(rest == 0, "expected parts that add up to ", dim, ", got ", DimsText(sizes));
}

void ComputeSplit(OperatorCall& call) {
  const std::size_t axis = call.Axis(call.Int("axis", 0), call.rank(0));
  const Dims strides = RowMajorStrides(call.dims(0));
  std::int64_t start = 0;
  for (std::size_t i = 0; i < call.outputs().size(); ++i) {
    const Dims& dims = call.outputs()[i].dims;
    call.CopyElements(i, StridedWalk(dims, strides, start));
    start += strides[axis] * dims[axis];
  }
}

void InferConcat(OperatorCall& call) {
  call.Check(call.HasAttribute("axis"), "expected an attribute axis, got none");
  const std::size_t axis = call.Axis(call.Int("axis", 0), call.rank(0));
  Dims dims = call.dims(0);
  for (std::size_t i = 1; call.ok() && i < call.num_inputs(); ++i) {
    if (!call.Check(call.Has(i), "expected input ", i, ", got none")) return;
    call.Check(IsInteger(call.type(i)) == IsInteger(call.type(0)),
               "expected inputs of one type, got integers and numbers");
    Dims others = call.dims(i);
    if (others.size() == dims.size()) others[axis] = dims[axis];
    if (!call.Check(others == dims, "expected inputs that differ in axis ", axis, " only, got ",
                    DimsText(call.dims(0)), " and ", DimsText(call.dims(i)))) {
      return;
    }
    dims[axis] += call.dims(i)[axis];
  }
  call.Output(call.type(0), std::move(dims));
}

// Blocks of one input after those of another, for every index before the axis.
template <typename T, typename Values>
void Interleave(const OperatorCall& call, std::size_t axis, Values values_of, std::vector<T>& out) {
  const Dims& dims = call.output_dims();
  const std::int64_t outer = Product(dims, 0, axis);
  const std::int64_t stride = Product(dims, axis, dims.size());
  std::int64_t start = 0;
  for (std::size_t i = 0; i < call.num_inputs(); ++i) {
    const std::span<const T> values = values_of(i);
    const std::int64_t block = Product(call.dims(i), axis, dims.size());
    for (std::int64_t row = 0; row < outer; ++row) {
      std::copy_n(values.begin() + row * block, block, out.begin() + row * stride + start);
    }
    start += block;
  }
}

void ComputeConcat(OperatorCall& call) {
  const std::size_t axis = call.Axis(call.Int("axis", 0), call.rank(0));
  if (IsInteger(call.type(0))) {
    const auto values_of = [&](std::size_t i) { return call.Integers(i); };
    Interleave<std::int64_t>(call, axis, values_of, call.IntegerResult(0));
  } else {
    const auto values_of = [&](std::size_t i) { return call.Numbers(i); };
    Interleave<double>(call, axis, values_of, call.NumberResult(0));
  }
}

// Elements added before and after each axis.
struct Padding {
  Dims before;
  Dims after;
};

Padding ReadPadding(OperatorCall& call) {
  constexpr std::int64_t kPadsAreAnInput = 11;
  const bool are_inputs = call.opset() >= kPadsAreAnInput;
  if (are_inputs && !call.Check(call.Has(1), "expected pads as input 1, got none")) return {};
  const Dims pads = are_inputs ? call.IntInput(1) : call.Ints("pads", {});
  Dims axes(call.rank(0));
  std::iota(axes.begin(), axes.end(), 0);
  if (are_inputs && call.Has(3)) axes = call.IntInput(3);
  call.Check(pads.size() == 2 * axes.size(), "expected ", 2 * axes.size(), " pads, got ",
             DimsText(pads));
  if (!call.ok()) return {};
  const std::vector<std::size_t> counted = call.Axes(axes, call.rank(0));
  Padding padding = {Dims(call.rank(0), 0), Dims(call.rank(0), 0)};
  for (std::size_t i = 0; call.ok() && i < counted.size(); ++i) {
    padding.before[counted[i]] = pads[i];
    padding.after[counted[i]] = pads[i + axes.size()];
  }
  return padding;
}

void InferPad(OperatorCall& call) {
  const Padding padding = ReadPadding(call);
  const std::string mode = call.Text("mode", "constant");
  call.Check(mode == "constant" || mode == "reflect" || mode == "edge" || mode == "wrap",
             "expected mode constant, reflect, edge or wrap, got ", mode);
  call.Check(!call.Has(2) || NumElements(call.dims(2)) == 1,
             "expected one number to pad with, got several");
  if (!call.ok()) return;
  Dims dims = call.dims(0);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const std::int64_t dim = dims[i];
    // A reflection or a turn around the image uses each element at most once on each side.
    const std::int64_t most = mode == "reflect" ? dim - 1 : mode == "wrap" ? dim : kMaxPad;
    const std::int64_t least = mode == "constant" ? -dim : 0;
    if (!call.Check(padding.before[i] >= least && padding.before[i] <= most &&
                        padding.after[i] >= least && padding.after[i] <= most,
                    "expected pads in [", least, ", ", most, "] at axis ", i, " of ",
                    DimsText(call.dims(0)), ", got ", padding.before[i], " and ",
                    padding.after[i])) {
      return;
    }
    dims[i] += padding.before[i] + padding.after[i];
    if (!call.Check(dims[i] >= 0 && (mode == "constant" || dim > 0),
                    "expected pads that leave something of ", DimsText(call.dims(0)))) {
      return;
    }
  }
  call.Output(call.type(0), std::move(dims));
}

// The index of the input that an index of the padded axis shows, or -1 for the constant.
std::int64_t PaddedFrom(std::int64_t at, std::int64_t dim, const std::string& mode) {
  if (at >= 0 && at < dim) return at;
  if (mode == "edge") return std::clamp<std::int64_t>(at, 0, dim - 1);
  if (mode == "reflect") return at < 0 ? -at : 2 * (dim - 1) - at;
  if (mode == "wrap") return at < 0 ? at + dim : at - dim;
  return -1;
}

template <typename T>
void PadInto(OperatorCall& call, std::span<const T> values, T constant, std::vector<T>& result) {
  const Padding padding = ReadPadding(call);
  const std::string mode = call.Text("mode", "constant");
  const Dims& dims = call.dims(0);
  const Dims strides = RowMajorStrides(dims);
  StridedWalk walk(call.output_dims(), Dims(dims.size(), 0));
  for (T& element : result) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < dims.size() && offset >= 0; ++i) {
      const std::int64_t from = PaddedFrom(walk.index()[i] - padding.before[i], dims[i], mode);
      offset = from < 0 ? -1 : offset + from * strides[i];
    }
    element = offset < 0 ? constant : values[ToSize(offset)];
    walk.Next();
  }
}

void ComputePad(OperatorCall& call) {
  if (IsInteger(call.type(0))) {
    const std::int64_t constant = call.Has(2) ? call.Integers(2)[0] : 0;
    PadInto(call, call.Integers(0), constant, call.IntegerResult(0));
  } else {
    const double constant = call.Has(2) ? call.Numbers(2)[0] : call.Float("value", 0);
    PadInto(call, call.Numbers(0), constant, call.NumberResult(0));
  }
}

// DepthToSpace and SpaceToDepth: the size of a block, with [N, C, H, W] checked.
std::int64_t BlockSize(OperatorCall& call) {
  const std::int64_t block = call.Int("blocksize", 0);
  call.Check(call.rank(0) == 4, "expected an input of 4 axes, got ", DimsText(call.dims(0)));
  call.Check(block > 0 && block < kMaxBlock, "expected a blocksize from 1 on, got ", block);
  return block;
}

void InferDepthToSpace(OperatorCall& call) {
  const std::int64_t b = BlockSize(call);
  const std::string mode = call.Text("mode", "DCR");
  call.Check(mode == "DCR" || mode == "CRD", "expected mode DCR or CRD, got ", mode);
  if (!call.ok()) return;
  const Dims& x = call.dims(0);
  call.Check(x[1] % (b * b) == 0, "expected channels that ", b * b, " divides, got ", x[1]);
  call.Output(call.type(0), {x[0], x[1] / (b * b), x[2] * b, x[3] * b});
}

// Writes an output whose axes are those of `dims`, merged, each with its stride in the input.
void CopyAxes(OperatorCall& call, Dims dims, Dims strides) {
  call.CopyElements(0, StridedWalk(std::move(dims), std::move(strides)));
}

void ComputeDepthToSpace(OperatorCall& call) {
  const std::int64_t b = BlockSize(call);
  const Dims& x = call.dims(0);
  const Dims s = RowMajorStrides(x);
  const std::int64_t channels = x[1] / (b * b);
  const bool is_dcr = call.Text("mode", "DCR") == "DCR";
  const std::int64_t row = is_dcr ? b * channels * s[1] : b * s[1];
  const std::int64_t column = is_dcr ? channels * s[1] : s[1];
  const std::int64_t channel = is_dcr ? s[1] : b * b * s[1];
  CopyAxes(call, {x[0], channels, x[2], b, x[3], b}, {s[0], channel, s[2], row, s[3], column});
}

void InferSpaceToDepth(OperatorCall& call) {
  const std::int64_t b = BlockSize(call);
  if (!call.ok()) return;
  const Dims& x = call.dims(0);
  call.Check(x[2] % b == 0 && x[3] % b == 0, "expected height and width that ", b, " divides, got ",
             DimsText(x));
  call.Output(call.type(0), {x[0], x[1] * b * b, x[2] / b, x[3] / b});
}

void ComputeSpaceToDepth(OperatorCall& call) {
  const std::int64_t b = BlockSize(call);
  const Dims& x = call.dims(0);
  const Dims s = RowMajorStrides(x);
  CopyAxes(call, {x[0], b, b, x[1], x[2] / b, x[3] / b},
           {s[0], s[2], s[3], s[1], b * s[2], b * s[3]});
}

void InferGather(OperatorCall& call) {
  const std::size_t axis = call.Axis(call.Int("axis", 0), call.rank(0));
  call.Check(IsInteger(call.type(1)), "expected integers as indices, got numbers");
  if (!call.ok()) return;
  Dims dims = call.dims(0);
  const auto at = dims.erase(dims.begin() + ToDim(axis));
  dims.insert(at, call.dims(1).begin(), call.dims(1).end());
  call.Output(call.type(0), std::move(dims));
}

void ComputeGather(OperatorCall& call) {
  const std::size_t axis = call.Axis(call.Int("axis", 0), call.rank(0));
  const Dims& dims = call.dims(0);
  const std::int64_t dim = dims[axis];
  for (const std::int64_t index : call.Integers(1)) {
    call.Check(index >= -dim && index < dim, "expected indices in [", -dim, ", ", dim, "), got ",
               index);
  }
  if (!call.ok()) return;
  const std::int64_t block = Product(dims, axis + 1, dims.size());
  const std::int64_t outer = Product(dims, 0, axis);
  const std::span<const std::int64_t> indices = call.Integers(1);
  Tensor& result = call.results()[0];
  result.type = call.tensor(0)->type;
  std::visit(
      [&](const auto& values) {
        std::decay_t<decltype(values)> picked;
        picked.reserve(NumElements(result.dims));
        for (std::int64_t row = 0; row < outer; ++row) {
          for (const std::int64_t index : indices) {
            const std::int64_t from = index < 0 ? index + dim : index;
            const auto begin = values.begin() + (row * dim + from) * block;
            picked.insert(picked.end(), begin, begin + block);
          }
        }
        result.values = std::move(picked);
      },
      call.tensor(0)->values);
}

}  // namespace

std::map<std::string, Operator> MovementOperators() {
  return {
      {"Transpose", {1, 1, InferTranspose, ComputeTranspose}},
      {"Slice", {1, 5, InferSlice, ComputeSlice}},
      {"Split", {1, 2, InferSplit, ComputeSplit}},
      {"Concat", {1, kMaxConcatInputs, InferConcat, ComputeConcat}},
      {"Pad", {1, 4, InferPad, ComputePad}},
      {"DepthToSpace", {1, 1, InferDepthToSpace, ComputeDepthToSpace}},
      {"SpaceToDepth", {1, 1, InferSpaceToDepth, ComputeSpaceToDepth}},
      {"Gather", {2, 2, InferGather, ComputeGather}},
  };
}

}  // namespace lipserve::exchange
