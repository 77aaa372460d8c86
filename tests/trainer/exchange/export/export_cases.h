// SPDX-License-Identifier: Apache-2.0
// Models to export: of every layer, of images and of vectors, and of whole networks.
#ifndef TESTS_TRAINER_EXCHANGE_EXPORT_EXPORT_CASES_H_
#define TESTS_TRAINER_EXCHANGE_EXPORT_EXPORT_CASES_H_

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "model/certificate/layer_bounds.h"
#include "tests/model/layer_cases.h"

namespace lipserve::exchange {

struct ExportCase {
  std::string name;
  FrozenModel model;
};

// A model of the network, with proven claims.
inline ExportCase CaseOf(std::string name, FrozenNetwork network) {
  for (FrozenLayer& layer : network.layers) {
    const absl::Status status = ClaimOperatorNorm(layer);
    EXPECT_TRUE(status.ok()) << name << ": " << status;
  }
  EXPECT_TRUE(CheckNetwork(network).ok()) << name << ": " << CheckNetwork(network);
  return {std::move(name), ModelOf(std::move(network))};
}

// Reads a vector, which ONNX knows beside images of one position.
inline FrozenNetwork FlattenedFirst(FrozenNetwork network) {
  network.layers.insert(network.layers.begin(), FlattenLayer{});
  return network;
}

// [6, 1, 1] as a vector and as an image: both sums with both, and a convolution of a vector.
inline FrozenNetwork RankNetwork() {
  std::mt19937_64 random(4);
  const SampleShape shape{6, 1, 1};
  ConvolutionLayer pointwise =
      RandomConvolution(random, {.input = shape, .output_channels = 6}, 0.4);
  return {.input_shape = shape,
          .layers = {FlattenLayer{}, SumLayer{.other = 0}, pointwise, FlattenLayer{},
                     SumLayer{.other = 3}, FlattenLayer{}, SumLayer{.other = 4},
                     RandomDense(random, 6, 3, 0.5)},
          .inputs = {0, 1, 1, 3, 2, 5, 6, 7}};
}

inline std::vector<ExportCase> ExportCases() {
  std::vector<ExportCase> cases;
  for (const LayerCase& test : LayerCases()) {
    cases.push_back(CaseOf(test.name, NetworkOf(test)));
    if (test.input.height * test.input.width > 1) continue;
    cases.push_back(CaseOf(test.name + "Flattened", FlattenedFirst(NetworkOf(test))));
  }
  const LayerCase of_vectors[] = {
      {"groupSortOfAVector", {6, 1, 1}, GroupSortLayer{.group_size = 3}},
      {"concatenatedReluOfAVector", {5, 1, 1}, ConcatenatedReluLayer{}},
      {"reluOfAVector", {2, 1, 1}, PReluLayer{{0.0F, 0.0F}}},
      {"permutationToAVector",
       {4, 1, 1},
       PermutationLayer{.output = {3, 1, 1}, .sources = {2, 0, 3}}},
      {"maxPoolOfAVector", {4, 1, 1}, MaxPoolLayer{}},
      {"averagePoolOfAVector", {4, 1, 1}, AveragePoolLayer{.scale = 0.3F}}};
  for (const LayerCase& test : of_vectors) {
    cases.push_back(CaseOf(test.name, FlattenedFirst(NetworkOf(test))));
  }
  const UpSamplingLayer square{.window_height = 2, .window_width = 2};
  cases.push_back(CaseOf("upSamplingOfASquare", NetworkOf({"", {8, 3, 2}, square})));
  cases.push_back(CaseOf("ranks", RankNetwork()));
  cases.push_back(CaseOf("oneScore", RandomNetwork(1, {12, 8, 6, 1})));
  cases.push_back(CaseOf("tenScores", RandomNetwork(2, {20, 16, 10})));
  cases.push_back(CaseOf("prototypes", WithPrototypes(RandomNetwork(3, {10, 8, 4}), 3, 5)));
  cases.push_back(CaseOf("image", RandomImageNetwork(4, 3, true)));
  cases.push_back(CaseOf("activations", RandomActivationNetwork(5, 3)));
  cases.push_back(CaseOf("potentials", RandomPotentialNetwork(6, 3)));
  cases.push_back(CaseOf("branches", RandomBranchingNetwork(7, 3)));
  return cases;
}

}  // namespace lipserve::exchange

#endif  // TESTS_TRAINER_EXCHANGE_EXPORT_EXPORT_CASES_H_
