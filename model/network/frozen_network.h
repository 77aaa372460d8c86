// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it says which function a frozen model is.
//
// A frozen network is a closed set of plain layers with float32 weights. It *defines* a function
// on real numbers; execution/ computes it and certificate/ proves radii about it.
#ifndef MODEL_NETWORK_FROZEN_NETWORK_H_
#define MODEL_NETWORK_FROZEN_NETWORK_H_

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"

namespace lipserve {

// Shape of one sample.
struct SampleShape {
  std::size_t channels = 0;
  std::size_t height = 0;
  std::size_t width = 0;

  std::size_t size() const { return channels * height * width; }
  friend bool operator==(const SampleShape&, const SampleShape&) = default;
};

// Views [C, H, W] as [C*H*W, 1, 1]. Exact.
struct FlattenLayer {};

// y = W x + b over the reals.
struct DenseLayer {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  std::vector<float> weights;  // [outputs, inputs], row-major
  std::vector<float> bias;     // [outputs], or empty for none
  // What the file claims as an upper bound of ||W||_2. A claim, not a bound, until proven.
  double claimed_operator_norm_bound = 0.0;
};

// Sorts each group of `group_size` neighbours in ascending order. Exact; 1-Lipschitz.
//
// Source: Anil, Lucas, Grosse 2019, arXiv:1811.05381.
struct GroupSortLayer {
  std::size_t group_size = 0;  // at least 2; divides the layer's input size
};

using FrozenLayer = std::variant<FlattenLayer, DenseLayer, GroupSortLayer>;

// The whole network. The last layer is dense.
struct FrozenNetwork {
  SampleShape input_shape;
  std::vector<FrozenLayer> layers;
};

// Number of classes that `network` tells apart: its outputs, or two if it has a single output
// (the first where the score is not negative, the second where it is).
//
// Requires: CheckNetwork(network) is OK.
std::size_t NumClasses(const FrozenNetwork& network);

// Number of scores: the outputs of the last layer. Requires: CheckNetwork(network) is OK.
std::size_t NumScores(const FrozenNetwork& network);

// One line for people, e.g. "dense 784 -> 32".
std::string DescribeLayer(const FrozenLayer& layer);

// Checks everything that the executors and the proof take for granted.
//
// Guarantee: after OK, sizes chain from input_shape to the last layer, which is dense; every array
//            has the size its layer says; every weight and bias is finite and not subnormal; no
//            dimension exceeds 2^22 and no product of dimensions overflows; there are at most 2048
//            scores, since the proof compares every pair of classes.
// Errors:    InvalidArgument naming the layer, what was expected and what was found.
absl::Status CheckNetwork(const FrozenNetwork& network);

}  // namespace lipserve

#endif  // MODEL_NETWORK_FROZEN_NETWORK_H_
