// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/convolution_geometry.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "model/certificate/convolution_norm.h"
#include "model/foundation/status_macros.h"
#include "model/network/layer_proto.h"

namespace lipserve::trainer {
namespace {

// Larger windows, strides and paddings are treated as typing errors.
constexpr std::int64_t kMaxWindow = 4096;
// What a frozen network may have (CheckNetwork).
constexpr std::size_t kMaxNumbers = std::size_t{1} << 22;

// The axes of a convolution that is being read.
struct Axes {
  WindowAxis& vertical;
  WindowAxis& horizontal;
};

// The padding that gives ceil(length / stride) outputs: equal on both sides, or one more after.
void PadToSame(WindowAxis& axis, std::size_t length) {
  const std::size_t outputs = (length + axis.stride - 1) / axis.stride;
  const std::size_t reach = (outputs - 1) * axis.stride + axis.extent();
  const std::size_t total = reach > length ? reach - length : 0;
  axis.padding_before = total / 2;
  axis.padding_after = total - total / 2;
}

absl::Status ReadWindow(const v1::ConvolutionSpec& spec, const LayerPlace& place, Axes axes) {
  if (spec.kernel_size().empty()) {
    return place.Error(".kernel_size: expected one or two numbers, got none");
  }
  LIPSERVE_ASSIGN_OR_RETURN(const auto size,
                            ReadPair(spec.kernel_size(), "kernel_size", 1, 1, place));
  LIPSERVE_ASSIGN_OR_RETURN(const auto stride, ReadPair(spec.stride(), "stride", 1, 1, place));
  LIPSERVE_ASSIGN_OR_RETURN(const auto dilation,
                            ReadPair(spec.dilation(), "dilation", 1, 1, place));
  LIPSERVE_ASSIGN_OR_RETURN(const auto padding, ReadPair(spec.padding(), "padding", 0, 0, place));
  axes.vertical = {size.first, stride.first, dilation.first, padding.first, padding.first};
  axes.horizontal = {size.second, stride.second, dilation.second, padding.second, padding.second};
  if (spec.padding().empty()) {
    PadToSame(axes.vertical, place.input_shape.height);
    PadToSame(axes.horizontal, place.input_shape.width);
  }
  return absl::OkStatus();
}

// Zero unless the recipe says otherwise.
absl::StatusOr<PaddingMode> ReadPaddingMode(v1::PaddingMode mode, const LayerPlace& place) {
  if (mode == v1::PADDING_MODE_UNSPECIFIED) return PaddingMode::kZero;
  absl::StatusOr<PaddingMode> read = PaddingModeFromProto(mode);
  if (!read.ok()) return place.Error(".%s", std::string(read.status().message()));
  return read;
}

absl::Status CheckChannels(const v1::ConvolutionSpec& spec, const LayerPlace& place) {
  const std::int64_t channels = static_cast<std::int64_t>(place.input_shape.channels);
  if (spec.filters() < 1) {
    return place.Error(".filters: expected at least 1, got %d", spec.filters());
  }
  const std::int64_t groups = spec.groups() == 0 ? 1 : spec.groups();
  if (groups < 1 || channels % groups != 0 || spec.filters() % groups != 0) {
    return place.Error(".groups: expected a divisor of the %d channels and the %d filters, got %d",
                       channels, spec.filters(), spec.groups());
  }
  return absl::OkStatus();
}

absl::Status CheckPadding(const ConvolutionLayer& layer, const LayerPlace& place) {
  const bool is_valid = IsValidPadding(layer.vertical, layer.padding_mode, layer.input.height) &&
                        IsValidPadding(layer.horizontal, layer.padding_mode, layer.input.width);
  if (is_valid) return absl::OkStatus();
  return place.Error(
      ".padding: expected %s of the image's %d x %d, got %d above, %d below, %d left, %d right",
      layer.padding_mode == PaddingMode::kReflect ? "less than the size" : "at most the size",
      layer.input.height, layer.input.width, layer.vertical.padding_before,
      layer.vertical.padding_after, layer.horizontal.padding_before,
      layer.horizontal.padding_after);
}

absl::Status CheckSizes(const ConvolutionLayer& layer, const LayerPlace& place) {
  const SampleShape padded = layer.padded_input();
  if (padded.height < layer.vertical.extent() || padded.width < layer.horizontal.extent()) {
    return place.Error(
        ".kernel_size: expected a window that fits in the padded image of %d x %d, got one of %d x "
        "%d",
        padded.height, padded.width, layer.vertical.extent(), layer.horizontal.extent());
  }
  const std::size_t largest = std::max({padded.size(), layer.output().size(), layer.fan_in()});
  if (largest > kMaxNumbers || layer.output_channels > kMaxKernelSize ||
      layer.output_channels * layer.fan_in() > kMaxKernelSize) {
    return place.Error(
        ": expected at most 2^22 numbers in an image and a window and 2^26 weights, got %d in the "
        "padded image, %d after the layer, %d in a window and %d filters",
        padded.size(), layer.output().size(), layer.fan_in(), layer.output_channels);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::pair<std::size_t, std::size_t>> ReadPair(
    const google::protobuf::RepeatedField<std::int64_t>& numbers, const char* field,
    std::int64_t least, std::size_t value_of_none, const LayerPlace& place) {
  if (numbers.empty()) return std::pair(value_of_none, value_of_none);
  if (numbers.size() > 2) {
    return place.Error(".%s: expected one or two numbers, got %d", field, numbers.size());
  }
  for (const std::int64_t number : numbers) {
    if (number >= least && number <= kMaxWindow) continue;
    return place.Error(".%s: expected %d to %d, got %d", field, least, kMaxWindow, number);
  }
  return std::pair(static_cast<std::size_t>(numbers[0]),
                   static_cast<std::size_t>(numbers[numbers.size() - 1]));
}

absl::StatusOr<ConvolutionLayer> ReadGeometry(const v1::ConvolutionSpec& spec,
                                              const LayerPlace& place) {
  LIPSERVE_RETURN_IF_ERROR(CheckChannels(spec, place));
  ConvolutionLayer layer;
  layer.input = place.input_shape;
  layer.output_channels = static_cast<std::size_t>(spec.filters());
  layer.groups = spec.groups() == 0 ? 1 : static_cast<std::size_t>(spec.groups());
  LIPSERVE_ASSIGN_OR_RETURN(layer.padding_mode, ReadPaddingMode(spec.padding_mode(), place));
  LIPSERVE_RETURN_IF_ERROR(ReadWindow(spec, place, {layer.vertical, layer.horizontal}));
  LIPSERVE_RETURN_IF_ERROR(CheckPadding(layer, place));
  LIPSERVE_RETURN_IF_ERROR(CheckSizes(layer, place));
  // Refuse, before training, a model whose proof would cost too much.
  if (const auto method = ChooseConvolutionNormMethod(layer); !method.ok()) {
    return place.Error(": its norm cannot be proven: %s", std::string(method.status().message()));
  }
  return layer;
}

}  // namespace lipserve::trainer
