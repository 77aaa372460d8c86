// SPDX-License-Identifier: Apache-2.0
// Pools, and means and sums along axes.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/import/operators.h"
#include "trainer/exchange/import/scaling.h"
#include "trainer/exchange/import/squares.h"
#include "trainer/exchange/import/window_arguments.h"

namespace lipserve::exchange {
namespace {

// A pool of images, [C, H, W].
struct Pool {
  Window window;  // paddings after the image reach as far as the last window
  std::size_t counted_after_vertical = 0;  // paddings that the file gives
  std::size_t counted_after_horizontal = 0;
  bool counts_padding = false;
  double factor = 1.0;  // of the mean
};

// Sets the padding after the image to what the given number of windows needs: fewer than the file
// says where the last window does not reach it, more with ceil_mode.
bool FitOutputs(std::size_t length, std::size_t outputs, WindowAxis& axis) {
  const std::size_t reach = outputs == 0 ? 0 : (outputs - 1) * axis.stride + axis.extent();
  const std::size_t from = length + axis.padding_before;
  axis.padding_after = reach > from ? reach - from : 0;
  return outputs > 0 && axis.outputs(length) == outputs;
}

// Positions of the window of each output that the divisor counts.
std::vector<double> Counts(const WindowAxis& axis, std::size_t length, bool counts_padding,
                           std::size_t counted_after) {
  std::vector<double> counts;
  const std::size_t first = counts_padding ? 0 : axis.padding_before;
  const std::size_t end = axis.padding_before + length + (counts_padding ? counted_after : 0);
  for (std::size_t output = 0; output < axis.outputs(length); ++output) {
    double count = 0.0;
    for (std::size_t tap = 0; tap < axis.size; ++tap) {
      const std::size_t at = output * axis.stride + tap * axis.dilation;
      if (at >= first && at < end) count += 1.0;
    }
    counts.push_back(count);
  }
  return counts;
}

bool IsDisjointCover(const WindowAxis& axis, std::size_t length) {
  return axis.stride == axis.size && axis.dilation == 1 && axis.padding_before == 0 &&
         axis.padding_after == 0 && length % axis.size == 0;
}

Dims ImageDims(const SampleShape& shape) {
  return {static_cast<std::int64_t>(shape.channels), static_cast<std::int64_t>(shape.height),
          static_cast<std::int64_t>(shape.width)};
}

DraftLayer ReadingLayer(FrozenLayer layer, std::vector<double> weights, std::size_t input) {
  DraftLayer draft = LayerOn(input, std::move(layer));
  draft.weights = std::move(weights);
  return draft;
}

// The mean of squares: the square of an L2-norm pool, scaled.
absl::StatusOr<View> SquaresPooled(Conversion& conversion, View x, const Pool& pool) {
  const double scale = x.ScaleOf(0);
  if (!x.shift.empty() ||
      std::any_of(x.scale.begin(), x.scale.end(), [scale](double s) { return s != scale; })) {
    return absl::InvalidArgumentError("expected squares that are scaled alike, got others");
  }
  x.scale.clear();
  x.source.kind = Source::Kind::kValue;
  LIPSERVE_ASSIGN_OR_RETURN(const std::size_t value, conversion.ValueOf(x));
  const SampleShape shape = conversion.draft().shape(value);
  const Window& window = pool.window;
  if (!IsDisjointCover(window.vertical, shape.height) ||
      !IsDisjointCover(window.horizontal, shape.width)) {
    return absl::InvalidArgumentError(
        "expected an L2-norm pool of windows that do not overlap and cover the image, got another");
  }
  const L2NormPoolLayer layer = {.window_height = window.vertical.size,
                                 .window_width = window.horizontal.size};
  View y =
      conversion.AddLayer(x, ReadingLayer(layer, {}, value), ImageDims(OutputShape(layer, shape)));
  y.source.kind = Source::Kind::kSquare;
  const auto n = static_cast<double>(window.vertical.size * window.horizontal.size);
  const std::vector<double> scales(y.size(), scale * pool.factor / n);
  return Scaled(std::move(y), scales, {});
}

absl::StatusOr<View> AveragePooled(Conversion& conversion, View x, const Pool& pool) {
  if (x.source.kind == Source::Kind::kSquare) {
    return SquaresPooled(conversion, std::move(x), pool);
  }
  LIPSERVE_ASSIGN_OR_RETURN(const std::size_t value, conversion.ValueOf(x));
  const SampleShape shape = conversion.draft().shape(value);
  const WindowAxis& vertical = pool.window.vertical;
  const WindowAxis& horizontal = pool.window.horizontal;
  const auto n = static_cast<double>(vertical.size * horizontal.size);
  if (IsDisjointCover(vertical, shape.height) && IsDisjointCover(horizontal, shape.width)) {
    const AveragePoolLayer layer = {.window_height = vertical.size,
                                    .window_width = horizontal.size};
    return conversion.AddLayer(x, ReadingLayer(layer, {pool.factor / n}, value),
                               ImageDims(OutputShape(layer, shape)));
  }
  const ConvolutionLayer layer = {.input = shape,
                                  .output_channels = shape.channels,
                                  .groups = shape.channels,
                                  .vertical = vertical,
                                  .horizontal = horizontal};
  std::vector<double> weights(shape.channels * vertical.size * horizontal.size, pool.factor / n);
  View y = conversion.AddLayer(x, ReadingLayer(layer, std::move(weights), value),
                               ImageDims(layer.output()));
  const auto rows =
      Counts(vertical, shape.height, pool.counts_padding, pool.counted_after_vertical);
  const auto columns =
      Counts(horizontal, shape.width, pool.counts_padding, pool.counted_after_horizontal);
  const bool is_full =
      std::all_of(rows.begin(), rows.end(),
                  [&](double count) { return count == static_cast<double>(vertical.size); }) &&
      std::all_of(columns.begin(), columns.end(),
                  [&](double count) { return count == static_cast<double>(horizontal.size); });
  if (is_full) return y;
  std::vector<double> scales(y.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    scales[i] = n / (rows[i / columns.size() % rows.size()] * columns[i % columns.size()]);
  }
  return Scaled(std::move(y), scales, {});
}

absl::StatusOr<View> ImagesOf(View x) {
  if (x.dims.size() == 2) return WithDims(x, {x.dims[0], 1, x.dims[1]});
  if (x.dims.size() == 3) return x;
  return absl::InvalidArgumentError(
      absl::StrCat("expected images or sequences, got samples of ", DimsText(x.dims)));
}

// The window of a pool that makes the outputs that the graph says.
absl::StatusOr<Window> PoolWindow(const NodeArguments& arguments, const View& x) {
  LIPSERVE_ASSIGN_OR_RETURN(Window window, ReadWindow(arguments, x.dims));
  const Dims dims = arguments.SampleDims();
  const auto length = [&x](std::size_t axis) { return static_cast<std::size_t>(x.dims[axis]); };
  const std::size_t height = dims.size() == 3 ? static_cast<std::size_t>(dims[1]) : 1;
  const auto width = static_cast<std::size_t>(dims.empty() ? 0 : dims.back());
  if (!FitOutputs(length(1), height, window.vertical) ||
      !FitOutputs(length(2), width, window.horizontal)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected windows that give an output of ", DimsText(dims), ", got others"));
  }
  return window;
}

absl::StatusOr<Views> PoolViews(const NodeArguments& arguments, View y) {
  const Dims dims = arguments.SampleDims();
  if (SizeOf(dims) != y.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected an output of ", DimsText(dims), ", got ", DimsText(y.dims)));
  }
  Views views;
  views.push_back(WithDims(std::move(y), dims));
  return views;
}

Pool WholeImage(const View& x) {
  const auto size = [&x](std::size_t axis) { return static_cast<std::size_t>(x.dims[axis]); };
  return {.window = {.vertical = {.size = size(1), .stride = size(1)},
                     .horizontal = {.size = size(2), .stride = size(2)}}};
}

// A view with the axes that a reduction takes last, as images.
absl::StatusOr<View> ReducedLast(const NodeArguments& arguments, const View& x) {
  LIPSERVE_ASSIGN_OR_RETURN(const auto axes, arguments.IntsOf("axes", 1));
  std::vector<bool> is_reduced(x.dims.size());
  std::size_t count = 0;
  for (const std::int64_t number : axes.value_or(std::vector<std::int64_t>{0})) {
    LIPSERVE_ASSIGN_OR_RETURN(const std::size_t axis, arguments.SampleAxis(number, x.dims.size()));
    is_reduced[axis] = true;
  }
  std::vector<std::size_t> order;
  Dims rest;
  for (const bool reduced : {false, true}) {
    for (std::size_t axis = 0; axis < x.dims.size(); ++axis) {
      if (is_reduced[axis] != reduced) continue;
      order.push_back(axis);
      if (reduced)
        ++count;
      else
        rest.push_back(x.dims[axis]);
    }
  }
  View last = PermuteAxes(x, order);
  if (count == 2 && rest.size() == 1) return last;
  const auto kept = static_cast<std::int64_t>(SizeOf(rest));
  const auto size = static_cast<std::int64_t>(x.size()) / std::max<std::int64_t>(kept, 1);
  return WithDims(std::move(last), {kept, 1, size});
}

absl::StatusOr<Views> ReduceMeanOrSum(Conversion& conversion, const NodeArguments& arguments,
                                      bool is_sum) {
  LIPSERVE_ASSIGN_OR_RETURN(const View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(View last, ReducedLast(arguments, x));
  Pool pool = WholeImage(last);
  if (is_sum) pool.factor = static_cast<double>(last.dims[1] * last.dims[2]);
  LIPSERVE_ASSIGN_OR_RETURN(View y, AveragePooled(conversion, std::move(last), pool));
  return PoolViews(arguments, std::move(y));
}

absl::StatusOr<View> MaxPooled(Conversion& conversion, View x, const Window& window) {
  LIPSERVE_ASSIGN_OR_RETURN(const std::size_t value, conversion.ValueOf(x));
  const MaxPoolLayer layer = {.vertical = window.vertical, .horizontal = window.horizontal};
  for (const WindowAxis& axis : {layer.vertical, layer.horizontal}) {
    if (axis.dilation != 1 || std::max(axis.padding_before, axis.padding_after) >= axis.size) {
      return absl::InvalidArgumentError(
          "expected dilation 1 and paddings below the window, got others");
    }
  }
  return conversion.AddLayer(x, ReadingLayer(layer, {}, value),
                             ImageDims(OutputShape(layer, conversion.draft().shape(value))));
}

}  // namespace

absl::StatusOr<Views> ConvertAveragePool(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View given, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(View x, ImagesOf(given));
  LIPSERVE_ASSIGN_OR_RETURN(const Window in_file, ReadWindow(arguments, x.dims));
  LIPSERVE_ASSIGN_OR_RETURN(const Window window, PoolWindow(arguments, x));
  const Pool pool = {.window = window,
                     .counted_after_vertical = in_file.vertical.padding_after,
                     .counted_after_horizontal = in_file.horizontal.padding_after,
                     .counts_padding = arguments.Int("count_include_pad", 0) != 0};
  LIPSERVE_ASSIGN_OR_RETURN(View y, AveragePooled(conversion, std::move(x), pool));
  return PoolViews(arguments, std::move(y));
}

absl::StatusOr<Views> ConvertGlobalAveragePool(Conversion& conversion,
                                               const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View given, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(View x, ImagesOf(given));
  const Pool pool = WholeImage(x);
  LIPSERVE_ASSIGN_OR_RETURN(View y, AveragePooled(conversion, std::move(x), pool));
  return PoolViews(arguments, std::move(y));
}

absl::StatusOr<Views> ConvertReduceMean(Conversion& conversion, const NodeArguments& arguments) {
  return ReduceMeanOrSum(conversion, arguments, false);
}

absl::StatusOr<Views> ConvertReduceSum(Conversion& conversion, const NodeArguments& arguments) {
  return ReduceMeanOrSum(conversion, arguments, true);
}

absl::StatusOr<Views> ConvertMaxPool(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View given, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(View x, ImagesOf(given));
  LIPSERVE_ASSIGN_OR_RETURN(const Window window, PoolWindow(arguments, x));
  LIPSERVE_ASSIGN_OR_RETURN(View y, MaxPooled(conversion, std::move(x), window));
  return PoolViews(arguments, std::move(y));
}

absl::StatusOr<Views> ConvertGlobalMaxPool(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View given, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(View x, ImagesOf(given));
  const Window window = WholeImage(x).window;
  LIPSERVE_ASSIGN_OR_RETURN(View y, MaxPooled(conversion, std::move(x), window));
  return PoolViews(arguments, std::move(y));
}

absl::StatusOr<Views> ConvertReduceL2(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(const View x, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(View last, ReducedLast(arguments, x));
  Pool pool = WholeImage(last);
  pool.factor = static_cast<double>(last.dims[1] * last.dims[2]);
  LIPSERVE_ASSIGN_OR_RETURN(View squares, SquareOf(conversion, std::move(last)));
  LIPSERVE_ASSIGN_OR_RETURN(View sums, SquaresPooled(conversion, std::move(squares), pool));
  LIPSERVE_ASSIGN_OR_RETURN(View y, RootOf(conversion, std::move(sums)));
  return PoolViews(arguments, std::move(y));
}

}  // namespace lipserve::exchange
