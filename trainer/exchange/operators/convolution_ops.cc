// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/operators/convolution_ops.h"

#include <algorithm>
#include <utility>

#include "trainer/exchange/operators/window_2d.h"

namespace lipserve::exchange {
namespace {

// A convolution, or the transpose of one: which of both images has the windows.
struct Geometry {
  std::int64_t samples = 0;
  std::int64_t groups = 1;
  std::int64_t image_channels = 0;   // of the image whose positions the windows lie on
  std::int64_t window_channels = 0;  // of the image with one position for each window
  Window window;
};

Dims KernelOf(const OperatorCall& call) {
  const Dims& weights = call.dims(1);
  return weights.size() < 3 ? Dims{} : Dims(weights.begin() + 2, weights.end());
}

// Groups and weights [channels of input 0 or outputs, per group, kernel] that fit the input.
void CheckWeights(OperatorCall& call, std::int64_t groups) {
  call.Check(call.rank(1) == call.rank(0), "expected weights of ", call.rank(0), " axes, got ",
             DimsText(call.dims(1)));
  for (std::size_t i = 0; i < 3; ++i) {
    call.Check(!call.Has(i) || !IsInteger(call.type(i)), "expected numbers as input ", i,
               ", got integers");
  }
  call.Check(groups >= 1, "expected a group from 1 on, got ", groups);
}

void CheckBias(OperatorCall& call, std::int64_t channels) {
  call.Check(!call.Has(2) || call.dims(2) == Dims{channels}, "expected a bias of ", channels,
             " numbers, got ", call.Has(2) ? DimsText(call.dims(2)) : "none");
}

Geometry ReadConv(OperatorCall& call) {
  Geometry geometry{.groups = call.Int("group", 1), .window = {}};
  CheckWeights(call, geometry.groups);
  if (!call.ok()) return geometry;
  geometry.window = ReadWindow(call, KernelOf(call), /*ceil_mode=*/false);
  geometry.samples = call.dims(0)[0];
  geometry.image_channels = call.dims(0)[1];
  geometry.window_channels = call.dims(1)[0];
  call.Check(geometry.window_channels % geometry.groups == 0 &&
                 geometry.image_channels == call.dims(1)[1] * geometry.groups,
             "expected a group that divides the channels, and weights for them, got group ",
             geometry.groups, ", input ", DimsText(call.dims(0)), " and weights ",
             DimsText(call.dims(1)));
  CheckBias(call, geometry.window_channels);
  return geometry;
}

Geometry ReadConvTranspose(OperatorCall& call) {
  Geometry geometry{.groups = call.Int("group", 1), .window = {}};
  CheckWeights(call, geometry.groups);
  call.Check(call.Text("auto_pad", "NOTSET") == "NOTSET" && !call.HasAttribute("output_shape"),
             "expected explicit pads, got auto_pad or output_shape: export the model with pads");
  if (!call.ok()) return geometry;
  geometry.window = ReadWindowAttributes(call, KernelOf(call));
  geometry.samples = call.dims(0)[0];
  geometry.window_channels = call.dims(0)[1];
  geometry.image_channels = call.dims(1)[1] * geometry.groups;
  call.Check(geometry.window_channels == call.dims(1)[0] &&
                 geometry.window_channels % geometry.groups == 0,
             "expected a group that divides the channels, and weights for them, got group ",
             geometry.groups, ", input ", DimsText(call.dims(0)), " and weights ",
             DimsText(call.dims(1)));
  CheckBias(call, geometry.image_channels);
  const std::size_t axes = call.rank(0) - 2;
  const Dims more = call.Ints("output_padding", Dims(axes, 0));
  call.Check(more.size() == axes, "expected an output_padding of ", axes, " integers, got ",
             DimsText(more));
  for (std::size_t i = 0; call.ok() && i < axes; ++i) {
    WindowAxis& axis = geometry.window[2 - axes + i];
    // The input has one position for each window; the output is the image.
    axis.outputs = axis.length;
    call.Check(more[i] >= 0 && more[i] < axis.stride + axis.dilation,
               "expected an output_padding below the stride, got ", DimsText(more));
    axis.length =
        axis.stride * (axis.outputs - 1) + axis.extent() + more[i] - axis.before - axis.after;
    call.Check(axis.length > 0, "expected pads that leave something of the output, got ",
               axis.length, " positions");
  }
  return geometry;
}

// Calls visit(index into the image, index into the windows) for each product of one weight: tap
// (u, v) from channel `c` to channel `o`.
template <typename Visit>
void ForEachPosition(const Geometry& geometry, std::int64_t o, std::int64_t c, std::int64_t u,
                     std::int64_t v, Visit visit) {
  const WindowAxis& y = geometry.window[0];
  const WindowAxis& x = geometry.window[1];
  for (std::int64_t i = 0; i < y.outputs; ++i) {
    const std::int64_t row = y.Position(i, u);
    if (row < 0 || row >= y.length) continue;
    for (std::int64_t j = 0; j < x.outputs; ++j) {
      const std::int64_t column = x.Position(j, v);
      if (column < 0 || column >= x.length) continue;
      visit(ToSize((c * y.length + row) * x.length + column),
            ToSize((o * y.outputs + i) * x.outputs + j));
    }
  }
}

// Calls visit(index into the weights, index into the image, index into the windows) for each
// product of one sample.
template <typename Visit>
void ForEachProduct(const Geometry& geometry, Visit visit) {
  const WindowAxis& y = geometry.window[0];
  const WindowAxis& x = geometry.window[1];
  const std::int64_t per_group = geometry.image_channels / geometry.groups;
  const std::int64_t windows_per_group = geometry.window_channels / geometry.groups;
  for (std::int64_t o = 0; o < geometry.window_channels; ++o) {
    const std::int64_t first = o / windows_per_group * per_group;
    for (std::int64_t c = 0; c < per_group; ++c) {
      for (std::int64_t u = 0; u < y.size; ++u) {
        for (std::int64_t v = 0; v < x.size; ++v) {
          const std::int64_t weight = ((o * per_group + c) * y.size + u) * x.size + v;
          ForEachPosition(geometry, o, first + c, u, v, [&](std::size_t at, std::size_t window) {
            visit(ToSize(weight), at, window);
          });
        }
      }
    }
  }
}

std::size_t ImageSize(const Geometry& geometry) {
  return ToSize(geometry.image_channels * geometry.window[0].length * geometry.window[1].length);
}
std::size_t WindowsSize(const Geometry& geometry) {
  return ToSize(geometry.window_channels * geometry.window[0].outputs * geometry.window[1].outputs);
}

// y = the bias of each channel.
void AddBias(OperatorCall& call, std::vector<double>& y) {
  if (!call.Has(2)) return;
  const std::span<const double> bias = call.Numbers(2);
  const std::size_t area = ToSize(Product(call.output_dims(), 2, call.output_dims().size()));
  for (auto next = y.begin(); next != y.end();) {  // samples
    for (const double number : bias) next = std::fill_n(next, area, number);
  }
}

void InferConv(OperatorCall& call) {
  const Geometry geometry = ReadConv(call);
  if (!call.ok()) return;
  call.Output(call.type(0), WindowOutputDims(call, geometry.window_channels, geometry.window));
}

void ComputeConv(OperatorCall& call) {
  const Geometry geometry = ReadConv(call);
  const std::span<const double> x = call.Numbers(0);
  const std::span<const double> weights = call.Numbers(1);
  std::vector<double>& y = call.NumberResult(0);
  AddBias(call, y);
  for (std::int64_t n = 0; n < geometry.samples; ++n) {
    const double* const image = x.data() + ToSize(n) * ImageSize(geometry);
    double* const windows = y.data() + ToSize(n) * WindowsSize(geometry);
    ForEachProduct(geometry, [&](std::size_t weight, std::size_t at, std::size_t window) {
      windows[window] += weights[weight] * image[at];
    });
  }
}

void InferConvTranspose(OperatorCall& call) {
  const Geometry geometry = ReadConvTranspose(call);
  if (!call.ok()) return;
  Dims dims = {geometry.samples, geometry.image_channels};
  if (call.rank(0) == 4) dims.push_back(geometry.window[0].length);
  dims.push_back(geometry.window[1].length);
  call.Output(call.type(0), std::move(dims));
}

void ComputeConvTranspose(OperatorCall& call) {
  const Geometry geometry = ReadConvTranspose(call);
  const std::span<const double> x = call.Numbers(0);
  const std::span<const double> weights = call.Numbers(1);
  std::vector<double>& y = call.NumberResult(0);
  AddBias(call, y);
  for (std::int64_t n = 0; n < geometry.samples; ++n) {
    const double* const windows = x.data() + ToSize(n) * WindowsSize(geometry);
    double* const image = y.data() + ToSize(n) * ImageSize(geometry);
    ForEachProduct(geometry, [&](std::size_t weight, std::size_t at, std::size_t window) {
      image[at] += weights[weight] * windows[window];
    });
  }
}

}  // namespace

std::map<std::string, Operator> ConvolutionOperators() {
  return {
      {"Conv", {2, 3, InferConv, ComputeConv}},
      {"ConvTranspose", {2, 3, InferConvTranspose, ComputeConvTranspose}},
  };
}

}  // namespace lipserve::exchange
