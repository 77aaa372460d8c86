// SPDX-License-Identifier: Apache-2.0
// Conv and ConvTranspose.
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/import/linear_layers.h"
#include "trainer/exchange/import/operators.h"
#include "trainer/exchange/import/padded_image.h"
#include "trainer/exchange/import/window_arguments.h"

namespace lipserve::exchange {
namespace {

std::size_t Paddings(const ConvolutionLayer& layer) {
  return layer.vertical.padding_before + layer.vertical.padding_after +
         layer.horizontal.padding_before + layer.horizontal.padding_after;
}

// What happens to the numbers of a channel before a convolution.
struct ChannelChange {
  std::vector<double> scale;  // of each channel of the view; empty: not one per channel
  std::vector<double> shift;
  std::vector<double> padding;  // the constant around each channel
};

// The number that `number` gives for all elements of each channel that `counts` accepts; empty if
// they differ.
template <typename Counts, typename Number>
std::vector<double> OfChannels(const View& x, double unseen, Counts counts, Number number) {
  const auto channels = static_cast<std::size_t>(x.dims[0]);
  const std::size_t positions = x.size() / channels;
  std::vector<double> result(channels, unseen);
  std::vector<bool> is_seen(channels);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!counts(i)) continue;
    const std::size_t channel = i / positions;
    if (is_seen[channel] && result[channel] != number(i)) return {};
    is_seen[channel] = true;
    result[channel] = number(i);
  }
  return result;
}

ChannelChange ChangeOf(const View& x) {
  const auto is_number = [&x](std::size_t i) { return !x.IsConstant(i); };
  const auto is_constant = [&x](std::size_t i) { return x.IsConstant(i); };
  const auto scale = [&x](std::size_t i) { return x.ScaleOf(i); };
  const auto shift = [&x](std::size_t i) { return x.ShiftOf(i); };
  return {.scale = OfChannels(x, 1.0, is_number, scale),
          .shift = OfChannels(x, 0.0, is_number, shift),
          .padding = OfChannels(x, 0.0, is_constant, shift)};
}

bool IsAllZero(const std::vector<double>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](double x) { return x == 0.0; });
}

// Whether scales and shifts may go into the weights: without shifts, or with a padding that is
// shifted like the image.
bool MayFold(const ChannelChange& change, const PaddedImage& image, const ConvolutionLayer& layer,
             bool has_constants) {
  if (change.scale.empty() || change.shift.empty() || change.padding.empty()) return false;
  if (has_constants && Paddings(layer) > 0 && !IsAllZero(change.padding)) return false;
  if (has_constants && change.padding != change.shift) return false;
  const bool pads_zeros =
      Paddings(layer) > 0 || (image.HasPadding() && image.mode == PaddingMode::kZero);
  return IsAllZero(change.shift) || !pads_zeros || (has_constants && Paddings(layer) == 0);
}

// The weights for the channels of the source, scaled, with the shifts in the bias. With one group
// the channels may stand in any order.
void FoldChange(const ChannelChange& change, const PaddedImage& image,
                const ConvolutionLayer& layer, std::vector<double>& weights,
                std::vector<double>& bias) {
  const std::size_t inputs = image.channels.size() / layer.groups;  // of a group
  const std::size_t taps = layer.vertical.size * layer.horizontal.size;
  const std::vector<double> given = weights;
  for (std::size_t o = 0; o < layer.output_channels; ++o) {
    const std::size_t first = o / (layer.output_channels / layer.groups) * inputs;
    for (std::size_t c = 0; c < inputs; ++c) {
      const std::size_t to = layer.groups == 1 ? image.channels[c] : c;
      for (std::size_t tap = 0; tap < taps; ++tap) {
        const double weight = given[(o * inputs + c) * taps + tap];
        weights[(o * inputs + to) * taps + tap] = weight * change.scale[first + c];
        bias[o] += weight * change.shift[first + c];
      }
    }
  }
}

// Whether each channel of the source is read once, in order where there are groups.
bool HasFoldableChannels(const PaddedImage& image, std::size_t channels, std::size_t groups) {
  std::vector<std::size_t> order(channels);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (groups != 1) return image.channels == order;
  std::vector<std::size_t> sorted = image.channels;
  std::sort(sorted.begin(), sorted.end());
  return sorted == order;
}

// Takes over the padding of the image.
bool TakePadding(const PaddedImage& image, ConvolutionLayer& layer) {
  if (!image.HasPadding()) return true;
  if (Paddings(layer) > 0 && image.mode != PaddingMode::kZero) return false;
  layer.padding_mode = image.mode;
  layer.vertical.padding_before += image.vertical.padding_before;
  layer.vertical.padding_after += image.vertical.padding_after;
  layer.horizontal.padding_before += image.horizontal.padding_before;
  layer.horizontal.padding_after += image.horizontal.padding_after;
  return true;
}

// The layer on the source of `x`, if it can take over all that the view does.
struct Fitted {
  ConvolutionLayer layer;
  std::vector<double> weights;
  std::vector<double> bias;
};

std::optional<Fitted> Fit(const View& x, const SampleShape& shape, const ConvolutionLayer& layer,
                          const std::vector<double>& weights, const std::vector<double>& bias) {
  const auto image = AsPaddedImage(x, shape);
  if (!image || !HasFoldableChannels(*image, shape.channels, layer.groups)) return std::nullopt;
  const ChannelChange change = ChangeOf(x);
  if (!MayFold(change, *image, layer, x.HasConstants())) return std::nullopt;
  Fitted fitted{.layer = layer, .weights = weights, .bias = bias};
  fitted.layer.input = shape;
  if (!TakePadding(*image, fitted.layer)) return std::nullopt;
  FoldChange(change, *image, layer, fitted.weights, fitted.bias);
  return fitted;
}

// A convolution whose only output position sees each number of the image once.
bool IsDense(const ConvolutionLayer& layer) {
  return layer.groups == 1 && Paddings(layer) == 0 && layer.vertical.dilation == 1 &&
         layer.horizontal.dilation == 1 && layer.vertical.size == layer.input.height &&
         layer.horizontal.size == layer.input.width;
}

DraftLayer LinearLayer(Fitted fitted, std::size_t input) {
  DraftLayer draft{.layer = fitted.layer,
                   .weights = std::move(fitted.weights),
                   .bias = std::move(fitted.bias),
                   .input = input,
                   .nodes = {}};
  if (IsDense(fitted.layer)) {
    draft.layer = EmptyDense(fitted.layer.input.size(), fitted.layer.output_channels);
  }
  return draft;
}

// Images, or sequences as images of height 1.
absl::StatusOr<View> AsImages(View x) {
  if (x.dims.size() == 2) return WithDims(x, {x.dims[0], 1, x.dims[1]});
  if (x.dims.size() == 3) return x;
  return absl::InvalidArgumentError(
      absl::StrCat("expected images or sequences, got samples of ", DimsText(x.dims)));
}

absl::StatusOr<Views> ConvolutionView(const NodeArguments& arguments, View y) {
  if (SizeOf(arguments.SampleDims()) != y.size()) {
    return absl::InvalidArgumentError(absl::StrCat("expected an output of ", DimsText(y.dims),
                                                   ", got ", DimsText(arguments.SampleDims())));
  }
  Views views;
  views.push_back(WithDims(std::move(y), arguments.SampleDims()));
  return views;
}

}  // namespace

absl::StatusOr<View> AddConvolution(Conversion& conversion, View x, const ConvolutionLayer& layer,
                                    const std::vector<double>& weights,
                                    const std::vector<double>& bias) {
  LIPSERVE_ASSIGN_OR_RETURN(x, conversion.Realise(std::move(x)));
  conversion.FoldIntoProducer(x);
  auto fitted = Fit(x, conversion.draft().shape(x.source.value), layer, weights, bias);
  if (!fitted && !x.IsPure()) {
    LIPSERVE_ASSIGN_OR_RETURN(x, conversion.Purify(std::move(x)));
    fitted = Fit(x, conversion.draft().shape(x.source.value), layer, weights, bias);
  }
  if (!fitted) {
    LIPSERVE_ASSIGN_OR_RETURN(const std::size_t value, conversion.ValueOf(x));
    const SampleShape shape = conversion.draft().shape(value);
    x = WholeValue(value, shape, x.dims);
    fitted = Fit(x, shape, layer, weights, bias);
  }
  if (!fitted || fitted->layer.output().size() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a window that fits images of ", DimsText(x.dims), ", got one of ",
                     layer.vertical.extent(), "x", layer.horizontal.extent()));
  }
  const SampleShape output = fitted->layer.output();
  const Dims dims = {static_cast<std::int64_t>(output.channels),
                     static_cast<std::int64_t>(output.height),
                     static_cast<std::int64_t>(output.width)};
  return conversion.AddLayer(x, LinearLayer(*std::move(fitted), x.source.value), dims);
}

absl::StatusOr<Views> ConvertConv(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View given, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(View x, AsImages(given));
  LIPSERVE_ASSIGN_OR_RETURN(ConvolutionWeights kernel, ReadKernel(arguments));
  const auto channels = static_cast<std::size_t>(x.dims[0]);
  if (kernel.groups * kernel.inputs != channels || kernel.outputs % kernel.groups != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "group: expected a divisor of ", channels, " and ", kernel.outputs,
        " channels that fits weights for ", kernel.inputs, " of them, got ", kernel.groups));
  }
  LIPSERVE_ASSIGN_OR_RETURN(const Window window,
                            ReadWindow(arguments, x.dims, kernel.height, kernel.width));
  const ConvolutionLayer layer = {.output_channels = kernel.outputs,
                                  .groups = kernel.groups,
                                  .vertical = window.vertical,
                                  .horizontal = window.horizontal};
  LIPSERVE_ASSIGN_OR_RETURN(
      View y, AddConvolution(conversion, std::move(x), layer, kernel.weights, kernel.bias));
  return ConvolutionView(arguments, std::move(y));
}

absl::StatusOr<Views> ConvertConvTranspose(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View given, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(View x, AsImages(given));
  LIPSERVE_ASSIGN_OR_RETURN(const ConvolutionWeights kernel, ReadTransposedKernel(arguments));
  const auto channels = static_cast<std::size_t>(x.dims[0]);
  LIPSERVE_ASSIGN_OR_RETURN(const Window window,
                            ReadWindow(arguments, x.dims, kernel.height, kernel.width));
  for (const WindowAxis& axis : {window.vertical, window.horizontal}) {
    if (axis.stride != 1 || std::max(axis.padding_before, axis.padding_after) >= axis.extent() ||
        kernel.groups * kernel.inputs != channels) {
      return absl::InvalidArgumentError(
          "expected stride 1, paddings below the window, and weights that fit the channels; a "
          "transposed convolution is taken where it is the adjoint of one of stride 1");
    }
  }
  ConvolutionLayer layer = {.output_channels = kernel.outputs,
                            .groups = kernel.groups,
                            .vertical = window.vertical,
                            .horizontal = window.horizontal};
  for (WindowAxis* const axis : {&layer.vertical, &layer.horizontal}) {
    axis->padding_before = axis->extent() - 1 - axis->padding_before;
    axis->padding_after = axis->extent() - 1 - axis->padding_after;
  }
  LIPSERVE_ASSIGN_OR_RETURN(
      View y, AddConvolution(conversion, std::move(x), layer, kernel.weights, kernel.bias));
  return ConvolutionView(arguments, std::move(y));
}

}  // namespace lipserve::exchange
