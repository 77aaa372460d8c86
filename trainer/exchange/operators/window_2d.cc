// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/operators/window_2d.h"

#include <algorithm>

namespace lipserve::exchange {
namespace {

// No size, stride or padding is larger, so that no sum of a few overflows.
constexpr std::int64_t kMaxWindow = std::int64_t{1} << 31;

// An attribute of as many integers as the image has axes.
Dims AxisInts(OperatorCall& call, const char* name, std::size_t axes, std::int64_t otherwise,
              std::int64_t least) {
  Dims values = call.Ints(name, Dims(axes, otherwise));
  if (!call.Check(values.size() == axes, "expected ", axes, " integers as attribute ", name,
                  ", got ", DimsText(values))) {
    return Dims(axes, otherwise);
  }
  for (const std::int64_t value : values) {
    call.Check(value >= least && value < kMaxWindow, "expected ", name, " from ", least,
               " on, got ", DimsText(values));
  }
  return values;
}

// Fills the output of one axis: as many as fit, or with ceil_mode one more that starts inside.
void SetOutputs(OperatorCall& call, bool ceil_mode, WindowAxis& axis) {
  const std::int64_t padded = axis.before + axis.length + axis.after;
  const std::int64_t rest = padded - axis.extent();
  if (!call.Check(rest >= 0, "expected a window that fits the padded image, got one of ",
                  axis.extent(), " positions on ", padded)) {
    return;
  }
  axis.outputs = rest / axis.stride + 1;
  if (!ceil_mode || rest % axis.stride == 0) return;
  // The last window has to start in the image or the padding before it.
  if (axis.outputs * axis.stride < axis.length + axis.before) ++axis.outputs;
}

// SAME_UPPER and SAME_LOWER: one output for each stride.
void PadToSame(bool is_upper, WindowAxis& axis) {
  axis.outputs = (axis.length + axis.stride - 1) / axis.stride;
  const std::int64_t padding =
      std::max<std::int64_t>(0, (axis.outputs - 1) * axis.stride + axis.extent() - axis.length);
  axis.before = is_upper ? padding / 2 : padding - padding / 2;
  axis.after = padding - axis.before;
}

}  // namespace

Window ReadWindowAttributes(OperatorCall& call, const Dims& kernel) {
  Window window;
  const std::size_t rank = call.rank(0);
  if (!call.Check(rank == 3 || rank == 4, "expected an input of 3 or 4 axes, got ",
                  DimsText(call.dims(0)))) {
    return window;
  }
  const std::size_t axes = rank - 2;
  const Dims sizes = kernel.empty() ? AxisInts(call, "kernel_shape", axes, 1, 1) : kernel;
  if (kernel.empty()) {
    call.Check(call.HasAttribute("kernel_shape"), "expected an attribute kernel_shape, got none");
  } else {
    const Dims stated = call.Ints("kernel_shape", kernel);
    call.Check(kernel.size() == axes && stated == kernel, "expected a kernel of ", axes,
               " axes as the weights have, got ", DimsText(stated), " and ", DimsText(kernel));
  }
  if (!call.ok()) return window;
  const Dims strides = AxisInts(call, "strides", axes, 1, 1);
  const Dims dilations = AxisInts(call, "dilations", axes, 1, 1);
  const Dims pads = call.Ints("pads", Dims(2 * axes, 0));
  call.Check(pads.size() == 2 * axes, "expected ", 2 * axes, " pads, got ", DimsText(pads));
  for (const std::int64_t pad : pads) {
    call.Check(pad >= 0 && pad < kMaxWindow, "expected pads from 0 on, got ", DimsText(pads));
  }
  if (!call.ok()) return window;
  for (std::size_t i = 0; i < axes; ++i) {
    WindowAxis& axis = window[2 - axes + i];
    axis = {.size = sizes[i],
            .stride = strides[i],
            .dilation = dilations[i],
            .before = pads[i],
            .after = pads[axes + i],
            .length = call.dims(0)[2 + i]};
    call.Check(axis.size > 0 && axis.size < kMaxWindow && axis.length > 0 &&
                   axis.size <= kMaxWindow / axis.dilation,
               "expected a window and an image of at least one position, got ", axis.size, " on ",
               axis.length);
  }
  if (axes == 1) window[0].length = window[0].outputs = 1;
  return window;
}

Window ReadWindow(OperatorCall& call, const Dims& kernel, bool ceil_mode) {
  Window window = ReadWindowAttributes(call, kernel);
  const std::string auto_pad = call.Text("auto_pad", "NOTSET");
  const bool is_same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  call.Check(is_same || auto_pad == "NOTSET" || auto_pad == "VALID",
             "expected auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER, got ", auto_pad);
  for (WindowAxis& axis : window) {
    if (!call.ok()) return window;
    if (auto_pad == "VALID") axis.before = axis.after = 0;
    if (is_same) {
      PadToSame(auto_pad == "SAME_UPPER", axis);
    } else {
      SetOutputs(call, ceil_mode, axis);
    }
  }
  return window;
}

Dims WindowOutputDims(const OperatorCall& call, std::int64_t channels, const Window& window) {
  Dims dims = {call.dims(0)[0], channels};
  if (call.rank(0) == 4) dims.push_back(window[0].outputs);
  dims.push_back(window[1].outputs);
  return dims;
}

}  // namespace lipserve::exchange
