// SPDX-License-Identifier: Apache-2.0
// Trusted: the closed set of layers that a model is made of, as functions on real numbers.
//
// A sample is [C, H, W] in row-major order; a vector is [C, 1, 1].
#ifndef CLIENT_VERIFY_MODEL_LAYER_H_
#define CLIENT_VERIFY_MODEL_LAYER_H_

#include <array>
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "client/verify/exact/exact_number.h"
#include "client/verify/model/window_axis.h"

namespace lipserve::verify {

// [C, H, W], each at least 1.
using Shape = std::array<std::size_t, 3>;

inline std::size_t SizeOf(const Shape& shape) { return shape[0] * shape[1] * shape[2]; }

// Views [C, H, W] as a vector; moves nothing.
struct Flatten {};

// y = W x + b.
struct Dense {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  ExactVector weights;  // [outputs, inputs]
  ExactVector bias;     // [outputs], or empty for none
  Dyadic claimed_norm;  // what the file claims to be at least ||W||_2
};

// A tap u * horizontal.taps + v of a window that reads the position y * W + x of an image.
struct Reading {
  std::size_t tap;
  std::size_t position;
};

// y[o, i, j] = b[o] + sum over c, u, v of K[o, c, u, v] x[g C / groups + c, Y(i, u), X(j, v)],
// where g is the group of o and the axes say which position Y and X are, or that a zero is read
// there.
struct Convolution {
  Shape input = {};
  std::size_t output_channels = 0;  // divisible by groups, as is C
  std::size_t groups = 1;
  WindowAxis vertical;    // over H
  WindowAxis horizontal;  // over W
  ExactVector weights;    // K, [output_channels, C / groups, vertical.taps, horizontal.taps]
  ExactVector bias;       // [output_channels], or empty for none
  Dyadic claimed_norm;    // what the file claims to be at least the norm of x -> y - y(0)

  Shape output() const { return {output_channels, vertical.outputs(), horizontal.outputs()}; }
  std::size_t input_channels_per_group() const { return input[0] / groups; }
  std::size_t output_channels_per_group() const { return output_channels / groups; }
  // Taps of the window, in both directions.
  std::size_t taps() const { return vertical.taps * horizontal.taps; }
  // K[o, c, tap], of the channel c of o's group.
  const mpz_class& weight(std::size_t o, std::size_t c, std::size_t tap) const {
    return weights.numbers[(o * input_channels_per_group() + c) * taps() + tap];
  }
  // What the output (i, j) reads, through each tap that does not read a zero.
  std::vector<Reading> ReadingsOf(std::size_t i, std::size_t j) const;
};

// y = scale * (sum of each disjoint window), per channel.
struct AveragePool {
  std::size_t window_height = 1;  // divides H
  std::size_t window_width = 1;   // divides W
  Dyadic scale;                   // positive
};

// y = sqrt(sum of the squares of each disjoint window), per channel.
struct L2NormPool {
  std::size_t window_height = 1;  // divides H
  std::size_t window_width = 1;   // divides W
};

// Sorts each group of neighbouring channels in ascending order, at every position.
struct GroupSort {
  std::size_t group_size = 0;  // divides C
};

// y = |x|, number by number.
struct Abs {};

// y[c] = max(x[c], x[C/2 + c]), y[C/2 + c] = min(x[c], x[C/2 + c]), c < C/2, at every position.
struct MaxMin {};  // C is even

// y[c] = max(x[c], 0), y[C + c] = max(-x[c], 0), at every position.
struct ConcatenatedRelu {};

// y[c] = x[c] where that is at least 0, slopes[c] x[c] elsewhere, at every position.
struct PRelu {
  ExactVector slopes;  // [C]
};

// (y[c], y[C/2 + c]) = z - v max(<v, z>, 0), z = (x[c], x[C/2 + c]), v = directions[c], c < C/2, at
// every position.
struct Householder {
  ExactVector directions;  // [C / 2, 2]; C is even
};

// y = x - T^T max(T x + b, 0), T x + b being the inner layer: a dense one of a vector, or a
// convolution with stride 1, zero or circular padding, and as many positions out as in.
struct ConvexPotential {
  std::variant<Dense, Convolution> inner;
};

// y[c, i h + u, j w + v] = x[c h w + u w + v, i, j]: channels become the positions of windows.
struct UpSampling {
  std::size_t window_height = 1;  // h
  std::size_t window_width = 1;   // w; h w divides C
};

// y[k] = x[sources[k]], in row-major order.
struct Permutation {
  Shape output = {};
  std::vector<std::size_t> sources;  // [SizeOf(output)], below the size of x, none twice
};

// y = x + z.
struct Sum {
  std::size_t other = 0;  // z: a value of the network (Model::inputs), of the shape of x
};

// y = min(max(x, low), high), number by number.
struct Clip {
  Dyadic low;
  Dyadic high;  // at least low
};

// y = the largest number of each window, per channel. Taps beside the image do not count; each
// window has one that is not.
struct MaxPool {
  WindowAxis vertical;    // over H; dilation 1, paddings below the taps
  WindowAxis horizontal;  // over W; the same

  // How many windows read the number that most of them read.
  std::size_t MostReads() const;
};

using Layer = std::variant<Flatten, Dense, Convolution, AveragePool, L2NormPool, GroupSort, Abs,
                           MaxMin, ConcatenatedRelu, PRelu, Householder, ConvexPotential,
                           UpSampling, Permutation, Sum, Clip, MaxPool>;

// Calls the one of several functions that takes its argument; for std::visit.
template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

// The shape of what `layer` makes of a sample of shape `input`.
Shape OutputShape(const Layer& layer, const Shape& input);

// The operator norm that the file claims for `layer`, or for its inner layer, or null for a layer
// without a claim.
const Dyadic* ClaimedNorm(const Layer& layer);

// One line for people: "dense 784 -> 32".
std::string Describe(const Layer& layer);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_MODEL_LAYER_H_
