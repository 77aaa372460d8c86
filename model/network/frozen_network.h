// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it says which function a frozen model is.
//
// A frozen network is a list of layers from a closed set, with float32 weights. Each layer reads
// the one before it, unless the network branches. The network *defines* a function on real numbers;
// execution/ computes it and certificate/ proves radii about it.
//
// Example: two dense layers with a sort between them.
//   FrozenNetwork network{.input_shape = {1, 28, 28},
//                         .layers = {FlattenLayer{}, hidden, GroupSortLayer{2}, last}};
//   LIPSERVE_RETURN_IF_ERROR(CheckNetwork(network));  // hidden, last: DenseLayer
#ifndef MODEL_NETWORK_FROZEN_NETWORK_H_
#define MODEL_NETWORK_FROZEN_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "model/network/window.h"

namespace lipserve {

// The most layers of a network: lipserve-verify reads no more, and exponents of the exact stage
// stay small.
inline constexpr std::size_t kMaxLayers = 1024;

// Shape of one sample.
struct SampleShape {
  std::size_t channels = 0;
  std::size_t height = 0;
  std::size_t width = 0;

  std::size_t size() const { return channels * height * width; }
  friend bool operator==(const SampleShape&, const SampleShape&) = default;
};

// Views [C, H, W] as [C*H*W, 1, 1], in row-major order. Exact.
struct FlattenLayer {};

// y = W x + b over the reals, x: [C, H, W] in row-major order, y: [outputs, 1, 1].
struct DenseLayer {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  std::vector<float> weights;  // [outputs, inputs], row-major
  std::vector<float> bias;     // [outputs], or empty for none
  // What the file claims as an upper bound of ||W||_2. A claim, not a bound, until proven.
  double claimed_operator_norm_bound = 0.0;
};

// Correlation with a kernel over the reals. For output channel o of group g,
//   y[o, i, j] = b[o] + sum over c, u, v of
//       K[o, c, u, v] x[g C/groups + c, i s_y + u d_y - top, j s_x + v d_x - left],
// where x outside the image is what the padding says (window.h).
struct ConvolutionLayer {
  SampleShape input = {};
  std::size_t output_channels = 0;
  std::size_t groups = 1;
  WindowAxis vertical = {};
  WindowAxis horizontal = {};
  PaddingMode padding_mode = PaddingMode::kZero;
  // K, [output_channels, input.channels / groups, vertical.size, horizontal.size], row-major.
  std::vector<float> weights = {};
  std::vector<float> bias = {};  // [output_channels], or empty for none
  // What the file claims as an upper bound of the operator norm of the linear part, from images to
  // images. A claim, not a bound, until proven.
  double claimed_operator_norm_bound = 0.0;

  // Products in one output.
  std::size_t fan_in() const { return input.channels / groups * vertical.size * horizontal.size; }
  SampleShape padded_input() const {
    return {.channels = input.channels,
            .height = vertical.padded(input.height),
            .width = horizontal.padded(input.width)};
  }
  SampleShape output() const {
    return {.channels = output_channels,
            .height = vertical.outputs(input.height),
            .width = horizontal.outputs(input.width)};
  }
};

// y = scale * (sum of each disjoint window), per channel. A linear map of norm
// scale * sqrt(window_height * window_width).
struct AveragePoolLayer {
  std::size_t window_height = 1;  // divides the image's height
  std::size_t window_width = 1;   // divides the image's width
  float scale = 1.0F;             // positive
};

// y = sqrt(sum of squares of each disjoint window), per channel. 1-Lipschitz, by the reverse
// triangle inequality in each window; not piecewise linear.
struct L2NormPoolLayer {
  std::size_t window_height = 1;  // divides the image's height
  std::size_t window_width = 1;   // divides the image's width
};

// Sorts each group of `group_size` neighbouring channels in ascending order, at every position.
// Exact; 1-Lipschitz.
//
// Source: Anil, Lucas, Grosse 2019, arXiv:1811.05381.
struct GroupSortLayer {
  std::size_t group_size = 0;  // at least 2; divides the number of channels
};

// y[c, i h + u, j w + v] = x[c h w + u w + v, i, j]: channels become the positions of windows. A
// permutation: exact, and an isometry.
//
// Source: Shi et al. 2016, arXiv:1609.05158; torch's PixelShuffle.
struct UpSamplingLayer {
  std::size_t window_height = 1;  // h, at least 1
  std::size_t window_width = 1;   // w, at least 1; h w divides the number of channels
};

// y = |x|, number by number. Exact; 1-Lipschitz.
struct AbsLayer {};

// y[c] = max(x[c], x[C/2 + c]), y[C/2 + c] = min(x[c], x[C/2 + c]) for c < C/2, at every position.
// Exact; 1-Lipschitz.
struct MaxMinLayer {};  // the number of channels is even

// y[c] = max(x[c], 0), y[C + c] = max(-x[c], 0), at every position: 2 C channels. Exact;
// 1-Lipschitz, since (max(a, 0) - max(b, 0))^2 + (max(-a, 0) - max(-b, 0))^2 <= (a - b)^2.
//
// Source: Shang, Sohn, Almeida, Lee 2016, arXiv:1603.05201.
struct ConcatenatedReluLayer {};

// y[c] = x[c] where that is not negative and slopes[c] x[c] elsewhere, at every position.
// max(1, |slopes|)-Lipschitz.
struct PReluLayer {
  std::vector<float> slopes;  // [C]
};

// (y[c], y[C/2 + c]) = z - v max(<v, z>, 0) with z = (x[c], x[C/2 + c]) and v = directions[c], for
// c < C/2, at every position. max(1, ||v||^2 - 1)-Lipschitz; ||v||^2 = 2 reflects z about the line
// normal to v, if z lies on v's side of it.
//
// Source: Singla, Singla, Feizi 2022, arXiv:2108.04062.
struct HouseholderLayer {
  std::vector<float> directions;  // v, [C / 2, 2]
};

// y = x - T^T max(T x + b, 0), where T x + b is the inner layer: a step down the convex potential
// ||max(T x + b, 0)||^2 / 2. max(1, ||T||_2^2 - 1)-Lipschitz, so 1-Lipschitz while ||T||_2^2 <= 2.
//
// Source: SLL: Araujo et al. 2023, arXiv:2303.03169; CPL: Meunier et al. 2022, arXiv:2110.12690.
struct ConvexPotentialLayer {
  // A dense layer of a vector, or a convolution that KeepsPositions (adjoint.h).
  std::variant<DenseLayer, ConvolutionLayer> inner;
};

// y[i] = x[sources[i]], both in row-major order: moves numbers, and drops those that no source
// names.
struct PermutationLayer {
  SampleShape output = {};
  std::vector<std::uint32_t> sources = {};  // [output.size()], each at most once
};

// y = x + z, number by number. z is a value of the network (FrozenNetwork::inputs) with x's shape.
struct SumLayer {
  std::size_t other = 0;  // z
};

// y = min(max(x, low), high), number by number. Exact; 1-Lipschitz.
struct ClipLayer {
  float low = 0.0F;
  float high = 0.0F;  // at least `low`
};

// y = the largest number of each window, per channel; positions outside the image do not count.
// Exact. sqrt(n)-Lipschitz if at most n windows read the same number: two inputs differ in a window
// by no more than in one of its numbers.
struct MaxPoolLayer {
  WindowAxis vertical = {};  // dilation 1, paddings below the size
  WindowAxis horizontal = {};

  // Whether no two windows read the same number.
  bool IsDisjoint() const {
    return vertical.stride >= vertical.size && horizontal.stride >= horizontal.size;
  }
};

// Some layers only move numbers or change their signs. The others compute new numbers, so
// arithmetic rounds there: they are called *rounding layers*.
using FrozenLayer =
    std::variant<FlattenLayer, DenseLayer, ConvolutionLayer, AveragePoolLayer, L2NormPoolLayer,
                 GroupSortLayer, AbsLayer, MaxMinLayer, ConcatenatedReluLayer, PReluLayer,
                 HouseholderLayer, ConvexPotentialLayer, UpSamplingLayer, PermutationLayer,
                 SumLayer, ClipLayer, MaxPoolLayer>;

// Whether `layer` only moves numbers, drops them or changes their signs. Every arithmetic computes
// such a layer exactly; it is 1-Lipschitz and does not raise the norm. A max pool counts if no two
// windows overlap.
bool OnlyMovesNumbers(const FrozenLayer& layer);

// "[C, H, W]".
std::string DescribeShape(const SampleShape& shape);

// Shape of the output of `layer` for an input of shape `input`.
//
// Requires: CheckNetwork is OK for the network that contains the layer.
SampleShape OutputShape(const FrozenLayer& layer, const SampleShape& input);

// The whole network. Its values are numbered: value 0 is its input, value k the output of layer
// k - 1. The last layer is dense. Each of its rows scores a class, or one of several prototypes of
// a class, whose score is then the largest of theirs.
//
// Example: C x + D x with convolutions C and D, then two scores.
//   FrozenNetwork{.input_shape = shape,
//                 .layers = {c, d, SumLayer{.other = 1}, FlattenLayer{}, last},
//                 .inputs = {0, 0, 2, 3, 4}};
struct FrozenNetwork {
  SampleShape input_shape;
  std::vector<FrozenLayer> layers;
  // K. Rows c K, ..., c K + K - 1 of the last layer belong to class c.
  std::size_t prototypes_per_class = 1;
  // The value that each layer reads. None for a chain, in which layer k reads value k.
  std::vector<std::size_t> inputs = {};

  // The value that layer `layer` reads; a SumLayer reads another one too.
  std::size_t InputOf(std::size_t layer) const { return inputs.empty() ? layer : inputs[layer]; }
};

// The shapes of all values. Requires: CheckNetwork(network) is OK.
std::vector<SampleShape> ValueShapes(const FrozenNetwork& network);

// The last layer that reads each value but the scores. Requires: CheckNetwork(network) is OK.
std::vector<std::size_t> LastReaders(const FrozenNetwork& network);

// Number of classes: NumScores, or two if that is 1. A single score means class 0 where it is not
// negative, and class 1 where it is.
//
// Requires: CheckNetwork(network) is OK.
std::size_t NumClasses(const FrozenNetwork& network);

// Number of scores of an answer: the outputs of the last layer divided by the prototypes per class.
//
// Requires: CheckNetwork(network) is OK.
std::size_t NumScores(const FrozenNetwork& network);

// Number of outputs of the last layer. Requires: CheckNetwork(network) is OK.
std::size_t NumRows(const FrozenNetwork& network);

// One line for people, e.g. "dense 784 -> 32".
std::string DescribeLayer(const FrozenLayer& layer);

// DescribeLayer of layer `layer`, and what it reads if that is not the value before it, e.g.
// "dense 784 -> 32, reads value 0".
std::string DescribeLayerOf(const FrozenNetwork& network, std::size_t layer);

// Checks everything that execution and proof rely on.
//
// Guarantee: after OK, shapes fit from input_shape to the last layer, which is dense; each layer
//            reads values before it, and each value but the scores is read; there are `inputs` only
//            where a chain would not do; every array has the size its layer says; every weight,
//            bias and scale is finite and not subnormal; no dimension, fan-in or size of a sample,
//            padded or not, exceeds 2^22 and no product of dimensions overflows; paddings satisfy
//            IsValidPadding; there are at most 2048 scores, since the proof keeps a bound for every
//            pair of them, and at most 2^16 rows; prototypes_per_class is 1, or divides the rows
//            into at least two classes.
// Errors:    InvalidArgument naming the layer, what was expected and what was found.
absl::Status CheckNetwork(const FrozenNetwork& network);

}  // namespace lipserve

#endif  // MODEL_NETWORK_FROZEN_NETWORK_H_
