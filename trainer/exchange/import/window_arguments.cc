// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/window_arguments.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"

namespace lipserve::exchange {
namespace {

constexpr std::int64_t kLargest = std::int64_t{1} << 22;

// An attribute with one number for each of `axes` axes, `otherwise` where it is left out.
absl::StatusOr<std::vector<std::int64_t>> PerAxis(const NodeArguments& arguments, const char* name,
                                                  std::size_t count, std::int64_t otherwise,
                                                  std::int64_t smallest) {
  std::vector<std::int64_t> numbers = arguments.Ints(name);
  if (numbers.empty()) numbers.assign(count, otherwise);
  const bool in_range = std::all_of(numbers.begin(), numbers.end(), [smallest](std::int64_t n) {
    return n >= smallest && n <= kLargest;
  });
  if (numbers.size() == count && in_range) return numbers;
  return absl::InvalidArgumentError(absl::StrCat(
      name, ": expected ", count, " numbers of at least ", smallest, ", got ", DimsText(numbers)));
}

// Paddings that give ceil(length / stride) outputs.
void PadToSame(const std::string& auto_pad, std::size_t length, WindowAxis& axis) {
  const std::size_t outputs = (length + axis.stride - 1) / axis.stride;
  const std::size_t reach = (outputs - 1) * axis.stride + axis.extent();
  const std::size_t padding = reach > length ? reach - length : 0;
  axis.padding_before = auto_pad == "SAME_UPPER" ? padding / 2 : padding - padding / 2;
  axis.padding_after = padding - axis.padding_before;
}

absl::StatusOr<ConvolutionWeights> ReadWeights(const NodeArguments& arguments) {
  const Tensor* const tensor = arguments.Constant(1);
  if (tensor == nullptr || tensor->dims.size() < 3 || tensor->dims.size() > 4) {
    return absl::InvalidArgumentError(
        "weights: expected a constant of three or four axes, got another");
  }
  const auto dim = [&](std::size_t axis) { return static_cast<std::size_t>(tensor->dims[axis]); };
  const std::int64_t groups = arguments.Int("group", 1);
  if (groups < 1 || groups > kLargest) {
    return absl::InvalidArgumentError(absl::StrCat("group: expected at least 1, got ", groups));
  }
  const bool is_image = tensor->dims.size() == 4;
  return ConvolutionWeights{.outputs = dim(0),
                            .inputs = dim(1),
                            .groups = static_cast<std::size_t>(groups),
                            .height = is_image ? dim(2) : 1,
                            .width = dim(is_image ? 3 : 2),
                            .weights = NumbersOf(*tensor),
                            .bias = {}};
}

absl::Status ReadBias(const NodeArguments& arguments, ConvolutionWeights& kernel) {
  kernel.bias.assign(kernel.outputs, 0.0);
  if (!arguments.HasInput(2)) return absl::OkStatus();
  const Tensor* const tensor = arguments.Constant(2);
  if (tensor != nullptr) kernel.bias = NumbersOf(*tensor);
  if (tensor == nullptr || kernel.bias.size() != kernel.outputs) {
    return absl::InvalidArgumentError(
        absl::StrCat("bias: expected ", kernel.outputs, " constants, got others"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Window> ReadWindow(const NodeArguments& arguments, const Dims& dims,
                                  std::size_t height, std::size_t width) {
  const std::size_t axes = arguments.SampleDims().size() == 2 ? 1 : 2;
  if (dims.size() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected images or sequences, got samples of ", DimsText(dims)));
  }
  std::vector<std::int64_t> sizes = {static_cast<std::int64_t>(height),
                                     static_cast<std::int64_t>(width)};
  if (axes == 1) sizes.erase(sizes.begin());
  if (height == 0) {
    LIPSERVE_ASSIGN_OR_RETURN(sizes, PerAxis(arguments, "kernel_shape", axes, 0, 1));
  }
  LIPSERVE_ASSIGN_OR_RETURN(const auto strides, PerAxis(arguments, "strides", axes, 1, 1));
  LIPSERVE_ASSIGN_OR_RETURN(const auto dilations, PerAxis(arguments, "dilations", axes, 1, 1));
  LIPSERVE_ASSIGN_OR_RETURN(const auto pads, PerAxis(arguments, "pads", 2 * axes, 0, 0));
  const std::string auto_pad = arguments.Text("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && auto_pad != "VALID" && auto_pad != "SAME_UPPER" &&
      auto_pad != "SAME_LOWER") {
    return absl::InvalidArgumentError(
        absl::StrCat("auto_pad: expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, got ", auto_pad));
  }
  Window window;
  for (std::size_t k = 0; k < axes; ++k) {
    WindowAxis& axis = k + 1 == axes ? window.horizontal : window.vertical;
    const auto number = [k](const std::vector<std::int64_t>& numbers) {
      return static_cast<std::size_t>(numbers[k]);
    };
    axis = {.size = number(sizes), .stride = number(strides), .dilation = number(dilations)};
    if (axis.size == 0) return absl::InvalidArgumentError("expected a window, got one of size 0");
    if (auto_pad == "NOTSET") {
      axis.padding_before = number(pads);
      axis.padding_after = static_cast<std::size_t>(pads[k + axes]);
    } else if (auto_pad != "VALID") {
      PadToSame(auto_pad, static_cast<std::size_t>(dims[3 - axes + k]), axis);
    }
  }
  return window;
}

absl::StatusOr<ConvolutionWeights> ReadKernel(const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(ConvolutionWeights kernel, ReadWeights(arguments));
  LIPSERVE_RETURN_IF_ERROR(ReadBias(arguments, kernel));
  return kernel;
}

absl::StatusOr<ConvolutionWeights> ReadTransposedKernel(const NodeArguments& arguments) {
  // [inputs, outputs of a group, height, width].
  LIPSERVE_ASSIGN_OR_RETURN(const ConvolutionWeights given, ReadWeights(arguments));
  if (given.outputs % given.groups != 0) {
    return absl::InvalidArgumentError(absl::StrCat("group: expected a divisor of ", given.outputs,
                                                   " channels, got ", given.groups));
  }
  const std::size_t inputs = given.outputs / given.groups;
  const std::size_t outputs = given.inputs;  // of a group
  const std::size_t taps = given.height * given.width;
  ConvolutionWeights kernel = {.outputs = outputs * given.groups,
                               .inputs = inputs,
                               .groups = given.groups,
                               .height = given.height,
                               .width = given.width,
                               .weights = std::vector<double>(given.weights.size()),
                               .bias = {}};
  for (std::size_t o = 0; o < kernel.outputs; ++o) {
    for (std::size_t c = 0; c < inputs; ++c) {
      const std::size_t from = (o / outputs * inputs + c) * outputs + o % outputs;
      for (std::size_t tap = 0; tap < taps; ++tap) {
        kernel.weights[(o * inputs + c) * taps + tap] = given.weights[(from + 1) * taps - 1 - tap];
      }
    }
  }
  LIPSERVE_RETURN_IF_ERROR(ReadBias(arguments, kernel));
  return kernel;
}

}  // namespace lipserve::exchange
