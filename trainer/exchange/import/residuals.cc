// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/residuals.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/import/activations.h"
#include "trainer/exchange/import/convex_potential.h"
#include "trainer/exchange/import/scaling.h"

namespace lipserve::exchange {
namespace {

// The most positions of an image whose mean is subtracted: the layer's cost grows with its square.
constexpr std::size_t kMaxCentredPositions = 4096;

std::vector<double> ScalesOf(const View& x) {
  std::vector<double> scales(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) scales[i] = x.ScaleOf(i);
  return scales;
}

std::vector<double> ShiftsOf(const View& x) {
  std::vector<double> shifts(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) shifts[i] = x.ShiftOf(i);
  return shifts;
}

// Scaled views of the same numbers.
std::optional<View> SumOfSameNumbers(const View& x, const View& y) {
  if (x.source != y.source || x.index != y.index || x.HasConstants()) return std::nullopt;
  if (x.source.kind == Source::Kind::kSquare) return std::nullopt;
  View sum = x;
  sum.scale = ScalesOf(x);
  sum.shift = ShiftsOf(x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    sum.scale[i] += y.ScaleOf(i);
    sum.shift[i] += y.ShiftOf(i);
  }
  sum.is_exclusive = false;
  AddNodes(y.nodes, sum.nodes);
  return sum;
}

// s relu(v) + t relu(-v) with s > 0, as s PReLU(v) with slope -t / s.
absl::StatusOr<std::optional<View>> SumOfParts(Conversion& conversion, const View& x,
                                               const View& y) {
  if (x.source.kind != Source::Kind::kParts || x.source != y.source || !x.shift.empty() ||
      !y.shift.empty()) {
    return std::optional<View>();
  }
  View whole = x;
  whole.source.kind = Source::Kind::kValue;
  whole.scale.clear();
  std::vector<double> scales(x.size());
  std::vector<double> slopes(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x.IsConstant(i) || y.IsConstant(i) || (x.index[i] ^ 1U) != y.index[i]) {
      return std::optional<View>();
    }
    const View& positive = x.index[i] % 2 == 0 ? x : y;
    const View& negative = x.index[i] % 2 == 0 ? y : x;
    scales[i] = positive.ScaleOf(i);
    if (!(scales[i] > 0.0)) return std::optional<View>();
    slopes[i] = -negative.ScaleOf(i) / scales[i];
    whole.index[i] = x.index[i] / 2;
  }
  AddNodes(y.nodes, whole.nodes);
  LIPSERVE_ASSIGN_OR_RETURN(View sum, WithSlopes(conversion, std::move(whole), slopes));
  return std::optional(Scaled(std::move(sum), scales, {}));
}

// The tap through which a window reads the position of its output; none if it has no such tap.
std::optional<std::size_t> CentreTap(const WindowAxis& axis) {
  if (axis.stride != 1 || axis.padding_before % axis.dilation != 0) return std::nullopt;
  const std::size_t tap = axis.padding_before / axis.dilation;
  return tap < axis.size ? std::optional(tap) : std::nullopt;
}

// Adds scale[c] x[c] to the outputs c of a layer that reads x.
bool AddIdentity(DraftLayer& layer, const SampleShape& shape, const std::vector<double>& scale) {
  if (const auto* const dense = std::get_if<DenseLayer>(&layer.layer)) {
    if (dense->inputs != dense->outputs) return false;
    for (std::size_t i = 0; i < scale.size(); ++i) {
      layer.weights[i * dense->inputs + i] += scale[i];
    }
    return true;
  }
  const auto& convolution = std::get<ConvolutionLayer>(layer.layer);
  const auto row = CentreTap(convolution.vertical);
  const auto column = CentreTap(convolution.horizontal);
  if (!row || !column || convolution.input != shape || convolution.output() != shape) {
    return false;
  }
  const std::size_t inputs = shape.channels / convolution.groups;
  const std::size_t width = convolution.horizontal.size;
  for (std::size_t o = 0; o < shape.channels; ++o) {
    const std::size_t kernel = o * inputs + o % inputs;
    layer.weights[(kernel * convolution.vertical.size + *row) * width + *column] += scale[o];
  }
  return true;
}

// x + K x, where K x is nobody else's: the identity goes into K.
std::optional<View> FoldedIntoLinear(Conversion& conversion, const View& x, View y) {
  if (x.source.kind != Source::Kind::kValue || y.source.kind != Source::Kind::kValue ||
      !y.is_exclusive || !y.IsPure() || y.HasConstants() || x.index != y.index) {
    return std::nullopt;
  }
  DraftLayer* const layer = conversion.draft().producer(y.source.value);
  const SampleShape& shape = conversion.draft().shape(y.source.value);
  if (layer == nullptr || !IsLinear(*layer) || layer->input != x.source.value ||
      shape.size() != conversion.draft().shape(x.source.value).size()) {
    return std::nullopt;
  }
  const std::vector<double> scale = PerChannel(x, shape, ScalesOf(x), 0.0);
  const std::vector<double> shift = PerChannel(x, shape, ShiftsOf(x), 0.0);
  if (scale.empty() || shift.empty() || !AddIdentity(*layer, shape, scale)) return std::nullopt;
  const std::vector<double> ones(shape.channels, 1.0);
  ScaleOutputs(*layer, ones, shift);
  AddNodes(x.nodes, layer->nodes);
  AddNodes(y.nodes, layer->nodes);
  y.nodes.clear();
  return y;
}

// s x + t (mean of each channel of x), as a circular convolution with the whole image.
std::optional<View> Centred(Conversion& conversion, const View& x, const View& y) {
  if (x.source.kind != Source::Kind::kValue || y.source.kind != Source::Kind::kValue) {
    return std::nullopt;
  }
  const DraftLayer* const layer = conversion.draft().producer(y.source.value);
  const auto* const pool =
      layer == nullptr ? nullptr : std::get_if<AveragePoolLayer>(&layer->layer);
  const SampleShape shape = conversion.draft().shape(x.source.value);
  const std::size_t positions = shape.height * shape.width;
  if (pool == nullptr || layer->input != x.source.value || pool->window_height != shape.height ||
      pool->window_width != shape.width || positions > kMaxCentredPositions ||
      x.size() != shape.size()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x.IsConstant(i) || y.index[i] != x.index[i] / positions) return std::nullopt;
  }
  View in_place = y;  // the scales of the means, by the channels of x
  in_place.index = x.index;
  const std::vector<double> scale = PerChannel(x, shape, ScalesOf(x), 1.0);
  const std::vector<double> mean_scale = PerChannel(in_place, shape, ScalesOf(y), 1.0);
  std::vector<double> shift = PerChannel(x, shape, ShiftsOf(x), 0.0);
  const std::vector<double> mean_shift = PerChannel(in_place, shape, ShiftsOf(y), 0.0);
  if (scale.empty() || shift.empty() || mean_scale.empty() || mean_shift.empty()) {
    return std::nullopt;
  }
  const double weight = layer->weights[0];
  DraftLayer centring{
      .layer =
          ConvolutionLayer{.input = shape,
                           .output_channels = shape.channels,
                           .groups = shape.channels,
                           .vertical = {.size = shape.height, .padding_after = shape.height - 1},
                           .horizontal = {.size = shape.width, .padding_after = shape.width - 1},
                           .padding_mode = PaddingMode::kCircular},
      .weights = std::vector<double>(shape.size()),
      .bias = {},
      .input = x.source.value,
      .nodes = layer->nodes};
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::size_t channel = i / positions;
    centring.weights[i] = mean_scale[channel] * weight;
    if (i % positions == 0) {
      centring.weights[i] += scale[channel];
      shift[channel] += mean_shift[channel];
    }
  }
  centring.bias = std::move(shift);
  View nodes = x;
  AddNodes(y.nodes, nodes.nodes);
  View whole = conversion.AddLayer(nodes, std::move(centring), x.dims);
  whole.index = x.index;
  return whole;
}

// A SumLayer, in the order of the sources where both stand alike, in the order of the views
// elsewhere.
absl::StatusOr<View> Added(Conversion& conversion, View x, View y) {
  LIPSERVE_ASSIGN_OR_RETURN(x, conversion.Purify(std::move(x)));
  LIPSERVE_ASSIGN_OR_RETURN(y, conversion.Purify(std::move(y)));
  Draft& draft = conversion.draft();
  View sum = x;
  AddNodes(y.nodes, sum.nodes);
  const bool stand_alike = x.index == y.index && !x.HasConstants() &&
                           draft.shape(x.source.value) == draft.shape(y.source.value);
  std::size_t first = x.source.value;
  std::size_t second = y.source.value;
  if (!stand_alike) {
    LIPSERVE_ASSIGN_OR_RETURN(first, conversion.ValueOf(x));
    LIPSERVE_ASSIGN_OR_RETURN(second, conversion.ValueOf(y));
    sum.index = WholeValue(first, draft.shape(first), x.dims).index;
    sum.nodes = x.nodes;
    AddNodes(y.nodes, sum.nodes);
  }
  sum.source = {.value = first};
  return conversion.AddElementwise(std::move(sum), SumLayer{.other = second});
}

}  // namespace

absl::StatusOr<View> SumOf(Conversion& conversion, View x, View y) {
  if (auto sum = SumOfSameNumbers(x, y)) return *std::move(sum);
  LIPSERVE_ASSIGN_OR_RETURN(std::optional<View> parts, SumOfParts(conversion, x, y));
  if (parts) return *std::move(parts);
  LIPSERVE_ASSIGN_OR_RETURN(x, conversion.Realise(std::move(x)));
  LIPSERVE_ASSIGN_OR_RETURN(y, conversion.Realise(std::move(y)));
  // Before the views are copied: what is folded must not be folded twice.
  conversion.FoldIntoProducer(x);
  conversion.FoldIntoProducer(y);
  for (const bool swapped : {false, true}) {
    const View& first = swapped ? y : x;
    const View& second = swapped ? x : y;
    if (auto sum = FoldedIntoLinear(conversion, first, second)) return *std::move(sum);
    if (auto sum = Centred(conversion, first, second)) return *std::move(sum);
    if (auto sum = ConvexPotentialOf(conversion, first, second)) return *std::move(sum);
  }
  return Added(conversion, std::move(x), std::move(y));
}

}  // namespace lipserve::exchange
