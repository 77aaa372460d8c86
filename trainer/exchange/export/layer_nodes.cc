// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/export/layer_nodes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace lipserve::exchange {
namespace {

constexpr std::int64_t kChannelAxis = 1;

std::int64_t Int(std::size_t number) { return static_cast<std::int64_t>(number); }

GraphValue AsVector(const GraphValue& x, NodeWriter& writer) {
  if (x.is_vector) return x;
  return {.name = writer.Add("Flatten", {x.name}, {{"axis", kChannelAxis}}),
          .shape = {x.shape.size(), 1, 1},
          .is_vector = true};
}

GraphValue AsImage(const GraphValue& x, NodeWriter& writer) {
  if (!x.is_vector) return x;
  const std::string dims = writer.AddIntegers("shape", {0, Int(x.shape.channels), 1, 1});
  return {.name = writer.Add("Reshape", {x.name, dims}), .shape = x.shape};
}

// Positions that a window reads beyond one end of each axis.
struct Borders {
  std::size_t top = 0;
  std::size_t left = 0;
  std::size_t bottom = 0;
  std::size_t right = 0;

  bool none() const { return top + left + bottom + right == 0; }
  Integers Pads() const { return {Int(top), Int(left), Int(bottom), Int(right)}; }
};

Borders BordersOf(const WindowAxis& vertical, const WindowAxis& horizontal) {
  return {.top = vertical.padding_before,
          .left = horizontal.padding_before,
          .bottom = vertical.padding_after,
          .right = horizontal.padding_after};
}

// The opposite sides of the image around it, along one axis.
std::string AddCircularAxis(const std::string& x, std::int64_t axis, std::size_t length,
                            std::size_t before, std::size_t after, NodeWriter& writer) {
  const auto slice = [&](std::size_t begin, std::size_t end) {
    const std::string starts = writer.AddIntegers("starts", {Int(begin)});
    const std::string ends = writer.AddIntegers("ends", {Int(end)});
    const std::string axes = writer.AddIntegers("axes", {axis});
    return writer.Add("Slice", {x, starts, ends, axes});
  };
  std::vector<std::string> parts;
  if (before > 0) parts.push_back(slice(length - before, length));
  parts.push_back(x);
  if (after > 0) parts.push_back(slice(0, after));
  return parts.size() == 1 ? x : writer.Add("Concat", parts, {{"axis", axis}});
}

std::string AddCircularPadding(const std::string& x, const SampleShape& shape,
                               const Borders& borders, NodeWriter& writer) {
  const std::string rows = AddCircularAxis(x, 2, shape.height, borders.top, borders.bottom, writer);
  return AddCircularAxis(rows, 3, shape.width, borders.left, borders.right, writer);
}

std::string AddPad(const std::string& x, const Borders& borders, const char* mode,
                   NodeWriter& writer) {
  const std::string pads = writer.AddIntegers("pads", {0, 0, Int(borders.top), Int(borders.left), 0,
                                                       0, Int(borders.bottom), Int(borders.right)});
  return writer.Add("Pad", {x, pads}, {{"mode", mode}});
}

// The image as a convolution without padding reads it. Zeros are left to the convolution.
std::string AddPadding(const std::string& x, const ConvolutionLayer& layer, NodeWriter& writer) {
  const Borders borders = BordersOf(layer.vertical, layer.horizontal);
  if (borders.none()) return x;
  switch (layer.padding_mode) {
    case PaddingMode::kZero:
      return x;
    case PaddingMode::kReflect:
      return AddPad(x, borders, "reflect", writer);
    case PaddingMode::kReplicate:
      return AddPad(x, borders, "edge", writer);
    case PaddingMode::kCircular:
      return AddCircularPadding(x, layer.input, borders, writer);
  }
  return x;
}

Integers KernelShape(const WindowAxis& vertical, const WindowAxis& horizontal) {
  return {Int(vertical.size), Int(horizontal.size)};
}

std::vector<NodeAttribute> ConvolutionAttributes(const ConvolutionLayer& layer, Integers pads) {
  const WindowAxis& y = layer.vertical;
  const WindowAxis& x = layer.horizontal;
  return {{"kernel_shape", KernelShape(y, x)},
          {"strides", Integers{Int(y.stride), Int(x.stride)}},
          {"dilations", Integers{Int(y.dilation), Int(x.dilation)}},
          {"pads", std::move(pads)},
          {"group", Int(layer.groups)}};
}

// Names of the initialisers of a layer's linear part: weights, and a bias if there is one.
template <typename Linear>
std::vector<std::string> AddWeights(const Linear& layer, const Integers& dims, NodeWriter& writer) {
  std::vector<std::string> names = {writer.AddFloats("weights", layer.weights, dims)};
  if (!layer.bias.empty()) {
    names.push_back(writer.AddFloats("bias", layer.bias, {Int(layer.bias.size())}));
  }
  return names;
}

std::vector<std::string> AddWeights(const DenseLayer& layer, NodeWriter& writer) {
  return AddWeights(layer, {Int(layer.outputs), Int(layer.inputs)}, writer);
}

std::vector<std::string> AddWeights(const ConvolutionLayer& layer, NodeWriter& writer) {
  return AddWeights(layer,
                    {Int(layer.output_channels), Int(layer.input.channels / layer.groups),
                     Int(layer.vertical.size), Int(layer.horizontal.size)},
                    writer);
}

std::string AddDense(const std::string& x, std::vector<std::string> weights, NodeWriter& writer) {
  weights.insert(weights.begin(), x);
  return writer.Add("Gemm", weights, {{"transB", 1}});
}

std::string AddConvolution(const std::string& x, const ConvolutionLayer& layer,
                           std::vector<std::string> weights, NodeWriter& writer) {
  weights.insert(weights.begin(), AddPadding(x, layer, writer));
  const bool by_zeros = layer.padding_mode == PaddingMode::kZero;
  const Borders borders = by_zeros ? BordersOf(layer.vertical, layer.horizontal) : Borders{};
  return writer.Add("Conv", weights, ConvolutionAttributes(layer, borders.Pads()));
}

// T^T h for the linear part T of a convolution that KeepsPositions, with T's own kernel.
//
// A transposed convolution adds input q times tap u to position q + u d, of n + e - 1 positions for
// n inputs and an extent e; `pads` cuts some off at both ends. With zeros, T^T wants position p at
// p + before. On a circle, h gets `after` positions of its other end before it and `before` behind
// it. Then p is at p + after + before = p + e - 1, and e - 1 positions go at both ends.
std::string AddAdjoint(const std::string& h, const ConvolutionLayer& layer,
                       const std::string& weights, NodeWriter& writer) {
  const Borders borders = BordersOf(layer.vertical, layer.horizontal);
  if (layer.padding_mode == PaddingMode::kZero) {
    return writer.Add("ConvTranspose", {h, weights}, ConvolutionAttributes(layer, borders.Pads()));
  }
  const Borders opposite{
      .top = borders.bottom, .left = borders.right, .bottom = borders.top, .right = borders.left};
  const std::string circle = AddCircularPadding(h, layer.output(), opposite, writer);
  const std::size_t rows = layer.vertical.extent() - 1;
  const std::size_t columns = layer.horizontal.extent() - 1;
  return writer.Add(
      "ConvTranspose", {circle, weights},
      ConvolutionAttributes(
          layer, Borders{.top = rows, .left = columns, .bottom = rows, .right = columns}.Pads()));
}

// Adds the nodes of one layer that reads x; a visitor of FrozenLayer.
class LayerNodes {
 public:
  LayerNodes(const GraphValue& x, const GraphValue& other, NodeWriter& writer)
      : x_(x), other_(other), writer_(writer) {}

  GraphValue operator()(const FlattenLayer&) const { return AsVector(x_, writer_); }

  GraphValue operator()(const DenseLayer& layer) const {
    const std::string x = AsVector(x_, writer_).name;
    return Vector(AddDense(x, AddWeights(layer, writer_), writer_), layer.outputs);
  }

  GraphValue operator()(const ConvolutionLayer& layer) const {
    const std::string x = AsImage(x_, writer_).name;
    return Image(AddConvolution(x, layer, AddWeights(layer, writer_), writer_), layer);
  }

  // AveragePool divides by the window's size n. The factor n scale is one Mul where float32 holds
  // it, so that scale is found again exactly; else it is two.
  GraphValue operator()(const AveragePoolLayer& layer) const {
    const std::size_t n = layer.window_height * layer.window_width;
    const std::string mean = AddMean(AsImage(x_, writer_).name, layer);
    const double product = static_cast<double>(n) * static_cast<double>(layer.scale);
    const auto factor = static_cast<float>(product);
    if (static_cast<double>(factor) == product)
      return Image(AddScale(mean, factor, "scale"), layer);
    const std::string sum = AddScale(mean, static_cast<float>(n), "window");
    return Image(AddScale(sum, layer.scale, "scale"), layer);
  }

  GraphValue operator()(const L2NormPoolLayer& layer) const {
    const std::string x = AsImage(x_, writer_).name;
    const std::string mean = AddMean(writer_.Add("Mul", {x, x}), layer);
    const std::string sum =
        AddScale(mean, static_cast<float>(layer.window_height * layer.window_width), "window");
    return Image(writer_.Add("Sqrt", {sum}), layer);
  }

  GraphValue operator()(const GroupSortLayer& layer) const {
    const Integers groups = {Int(x_.shape.channels / layer.group_size), Int(layer.group_size)};
    const std::string grouped = AddReshape(x_.name, groups);
    const std::string size = writer_.AddIntegers("group_size", {Int(layer.group_size)});
    const std::string sorted =
        writer_.AddPair("TopK", {grouped, size}, {{"axis", 2}, {"largest", 0}}).first;
    return Like(AddReshape(sorted, {Int(x_.shape.channels)}));
  }

  GraphValue operator()(const AbsLayer&) const { return Like(writer_.Add("Abs", {x_.name})); }

  GraphValue operator()(const MaxMinLayer&) const {
    const auto [a, b] = AddHalves();
    const std::string largest = writer_.Add("Max", {a, b});
    const std::string least = writer_.Add("Min", {a, b});
    return Like(AddConcat(largest, least));
  }

  GraphValue operator()(const ConcatenatedReluLayer&) const {
    const std::string positive = writer_.Add("Relu", {x_.name});
    const std::string negative = writer_.Add("Relu", {writer_.Add("Neg", {x_.name})});
    GraphValue y = Like(AddConcat(positive, negative));
    y.shape.channels *= 2;
    return y;
  }

  GraphValue operator()(const PReluLayer& layer) const {
    const bool is_relu = std::all_of(layer.slopes.begin(), layer.slopes.end(), [](float slope) {
      return std::bit_cast<std::uint32_t>(slope) == 0;
    });
    if (is_relu) return Like(writer_.Add("Relu", {x_.name}));
    return Like(writer_.Add("PRelu", {x_.name, AddOfChannels("slopes", layer.slopes)}));
  }

  // z - v max(<v, z>, 0), both halves of the channels at once.
  GraphValue operator()(const HouseholderLayer& layer) const {
    std::vector<float> v[2];
    for (std::size_t k = 0; k < layer.directions.size(); ++k) {
      v[k % 2].push_back(layer.directions[k]);
    }
    const auto [a, b] = AddHalves();
    const std::string va = AddOfChannels("first_directions", v[0]);
    const std::string vb = AddOfChannels("second_directions", v[1]);
    const std::string product =
        writer_.Add("Add", {writer_.Add("Mul", {a, va}), writer_.Add("Mul", {b, vb})});
    const std::string positive = writer_.Add("Relu", {product});
    const auto reflected = [&](const std::string& z, const std::string& direction) {
      return writer_.Add("Sub", {z, writer_.Add("Mul", {positive, direction})});
    };
    const std::string first = reflected(a, va);
    return Like(AddConcat(first, reflected(b, vb)));
  }

  GraphValue operator()(const ConvexPotentialLayer& layer) const {
    return std::visit([this](const auto& inner) { return AddPotential(inner); }, layer.inner);
  }

  // DepthToSpace knows square windows only.
  GraphValue operator()(const UpSamplingLayer& layer) const {
    const GraphValue x = AsImage(x_, writer_);
    const std::size_t h = layer.window_height;
    const std::size_t w = layer.window_width;
    if (h == w) {
      return Image(writer_.Add("DepthToSpace", {x.name}, {{"blocksize", Int(h)}, {"mode", "CRD"}}),
                   layer);
    }
    const SampleShape shape = OutputShape(layer, x.shape);
    const std::string windows = writer_.AddIntegers(
        "shape", {0, Int(shape.channels), Int(h), Int(w), Int(x.shape.height), Int(x.shape.width)});
    const std::string moved = writer_.Add("Transpose", {writer_.Add("Reshape", {x.name, windows})},
                                          {{"perm", Integers{0, 1, 4, 2, 5, 3}}});
    return {.name = AddReshapeToImage(moved, shape), .shape = shape};
  }

  GraphValue operator()(const PermutationLayer& layer) const {
    const std::string sources =
        writer_.AddIntegers("sources", Integers(layer.sources.begin(), layer.sources.end()));
    const std::string moved =
        writer_.Add("Gather", {AsVector(x_, writer_).name, sources}, {{"axis", kChannelAxis}});
    const SampleShape& shape = layer.output;
    if (shape.height * shape.width == 1) return Vector(moved, shape.channels);
    return {.name = AddReshapeToImage(moved, shape), .shape = shape};
  }

  GraphValue operator()(const SumLayer&) const {
    if (x_.is_vector && other_.is_vector) return Like(writer_.Add("Add", {x_.name, other_.name}));
    const GraphValue x = AsImage(x_, writer_);
    return {.name = writer_.Add("Add", {x.name, AsImage(other_, writer_).name}), .shape = x.shape};
  }

  GraphValue operator()(const ClipLayer& layer) const {
    const std::string low = writer_.AddFloats("low", {&layer.low, 1}, {});
    return Like(
        writer_.Add("Clip", {x_.name, low, writer_.AddFloats("high", {&layer.high, 1}, {})}));
  }

  GraphValue operator()(const MaxPoolLayer& layer) const {
    const WindowAxis& y = layer.vertical;
    const WindowAxis& x = layer.horizontal;
    return Image(writer_.Add("MaxPool", {AsImage(x_, writer_).name},
                             {{"kernel_shape", KernelShape(y, x)},
                              {"strides", Integers{Int(y.stride), Int(x.stride)}},
                              {"pads", BordersOf(y, x).Pads()}}),
                 layer);
  }

 private:
  // A value of the input's shape.
  GraphValue Like(std::string name) const {
    GraphValue y = x_;
    y.name = std::move(name);
    return y;
  }
  GraphValue Image(std::string name, const FrozenLayer& layer) const {
    return {.name = std::move(name), .shape = OutputShape(layer, x_.shape)};
  }
  static GraphValue Vector(std::string name, std::size_t size) {
    return {.name = std::move(name), .shape = {size, 1, 1}, .is_vector = true};
  }

  // Replaces the channels of x by `channels`, which may be several axes.
  std::string AddReshape(const std::string& x, Integers channels) const {
    channels.insert(channels.begin(), 0);  // the batch, as it is
    if (!x_.is_vector) channels.insert(channels.end(), {Int(x_.shape.height), Int(x_.shape.width)});
    return writer_.Add("Reshape", {x, writer_.AddIntegers("shape", channels)});
  }
  std::string AddReshapeToImage(const std::string& x, const SampleShape& shape) const {
    const std::string dims =
        writer_.AddIntegers("shape", {0, Int(shape.channels), Int(shape.height), Int(shape.width)});
    return writer_.Add("Reshape", {x, dims});
  }

  std::pair<std::string, std::string> AddHalves() const {
    return writer_.AddPair("Split", {x_.name}, {{"axis", kChannelAxis}});
  }
  std::string AddConcat(const std::string& a, const std::string& b) const {
    return writer_.Add("Concat", {a, b}, {{"axis", kChannelAxis}});
  }
  // A number for each channel, in dims that broadcast to the input's.
  std::string AddOfChannels(const char* name, std::span<const float> values) const {
    const std::int64_t channels = Int(values.size());
    return writer_.AddFloats(name, values,
                             x_.is_vector ? Integers{channels} : Integers{channels, 1, 1});
  }

  template <typename Pool>
  std::string AddMean(const std::string& x, const Pool& pool) const {
    const Integers window = {Int(pool.window_height), Int(pool.window_width)};
    return writer_.Add("AveragePool", {x}, {{"kernel_shape", window}, {"strides", window}});
  }
  std::string AddScale(const std::string& x, float scale, const char* name) const {
    if (scale == 1.0F) return x;
    return writer_.Add("Mul", {x, writer_.AddFloats(name, {&scale, 1}, {})});
  }

  GraphValue AddPotential(const DenseLayer& inner) const {
    const GraphValue x = AsVector(x_, writer_);
    const std::vector<std::string> weights = AddWeights(inner, writer_);
    const std::string hidden = writer_.Add("Relu", {AddDense(x.name, weights, writer_)});
    const std::string step = writer_.Add("Gemm", {hidden, weights.front()});
    return Vector(writer_.Add("Sub", {x.name, step}), inner.inputs);
  }
  GraphValue AddPotential(const ConvolutionLayer& inner) const {
    const GraphValue x = AsImage(x_, writer_);
    const std::vector<std::string> weights = AddWeights(inner, writer_);
    const std::string hidden =
        writer_.Add("Relu", {AddConvolution(x.name, inner, weights, writer_)});
    const std::string step = AddAdjoint(hidden, inner, weights.front(), writer_);
    return {.name = writer_.Add("Sub", {x.name, step}), .shape = x.shape};
  }

  const GraphValue& x_;
  const GraphValue& other_;
  NodeWriter& writer_;
};

}  // namespace

GraphValue AddLayer(const FrozenLayer& layer, const GraphValue& input, const GraphValue& other,
                    NodeWriter& writer) {
  return std::visit(LayerNodes(input, other, writer), layer);
}

}  // namespace lipserve::exchange
