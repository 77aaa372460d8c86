// SPDX-License-Identifier: Apache-2.0
// Whole convolutional networks in both rounding evaluations: flattens, the order of what dense
// layers read, and the norms of every rounding layer.
#include "model/execution/network_steps.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "model/execution/float64_network.h"
#include "model/execution/inference_graph.h"
#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

struct NetworkCase {
  std::string name;
  std::vector<FrozenLayer> layers;       // of an image of [4, 6, 4], before the head
  std::vector<std::size_t> inputs = {};  // FrozenNetwork::inputs, with the head
};

ConvolutionLayer Convolution(const SampleShape& input, std::size_t outputs, std::size_t size) {
  std::mt19937_64 random(outputs);
  const WindowAxis axis{.size = size, .padding_before = size / 2, .padding_after = size / 2};
  return RandomConvolution(random,
                           {.input = input,
                            .output_channels = outputs,
                            .vertical = axis,
                            .horizontal = axis,
                            .padding_mode = PaddingMode::kReflect},
                           0.3);
}

std::vector<FrozenLayer> WithoutHead(FrozenNetwork network) {
  network.layers.pop_back();
  return std::move(network.layers);
}

std::vector<NetworkCase> NetworkCases() {
  const SampleShape image{4, 6, 4};
  const GroupSortLayer pairs{.group_size = 2};
  const AveragePoolLayer average{.window_height = 2, .window_width = 2, .scale = 0.5F};
  const L2NormPoolLayer norm{.window_height = 3, .window_width = 1};
  return {
      {"nothing", {}},
      {"flatten", {FlattenLayer{}}},
      {"flattenTwice", {FlattenLayer{}, FlattenLayer{}}},
      {"sortOfChannels", {pairs}},
      {"sortOfTheFlattened", {FlattenLayer{}, pairs}},
      {"sortBeforeAndAfterFlatten", {pairs, FlattenLayer{}, pairs}},
      {"convolution", {Convolution(image, 6, 3), pairs}},
      {"convolutionOfTheFlattened", {FlattenLayer{}, Convolution({96, 1, 1}, 10, 1), pairs}},
      {"poolOfTheFlattened",
       {FlattenLayer{}, AveragePoolLayer{.window_height = 1, .window_width = 1, .scale = 2.0F}}},
      {"convolutions",
       {Convolution(image, 6, 3), pairs, average, Convolution({6, 3, 2}, 8, 3), pairs, norm,
        FlattenLayer{}}},
      {"denseBetween",
       {Convolution(image, 3, 1), average,
        [] {
          std::mt19937_64 random(9);
          return RandomDense(random, 18, 12, 0.3);
        }(),
        pairs}},
      {"everyBranch", WithoutHead(RandomBranchingNetwork(10, 3)),
       RandomBranchingNetwork(10, 3).inputs},
      {"threeReadersOfOneValue",
       {Convolution(image, 4, 3), Convolution(image, 4, 1), pairs, SumLayer{.other = 1},
        SumLayer{.other = 2}, SumLayer{.other = 0}},
       {0, 1, 1, 3, 4, 5, 6}},
      {"movedBranches",  // both summands are the input's numbers, moved
       {pairs, AbsLayer{}, SumLayer{.other = 1}, FlattenLayer{}},
       {0, 0, 2, 3, 4}},
      {"inputAtTheEnd",
       {Convolution(image, 4, 3), pairs, Convolution(image, 4, 1), FlattenLayer{}, FlattenLayer{},
        SumLayer{.other = 4}},
       {0, 1, 2, 3, 0, 5, 6}},
  };
}

// Norms of what the rounding layers read, of a sum's two values together, in quadruple precision.
std::vector<Quad> RoundingInputNorms(const FrozenNetwork& network, std::span<const float> input) {
  std::vector<Quad> norms;
  const auto values = NetworkValues(network, std::vector<Quad>(input.begin(), input.end()));
  const auto norm = [&](std::size_t value) {
    Quad squares = 0;
    for (const Quad number : values[value]) squares += number * number;
    return QuadSqrt(squares);
  };
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    if (OnlyMovesNumbers(network.layers[l])) continue;
    norms.push_back(norm(network.InputOf(l)));
    if (const auto* const sum = std::get_if<SumLayer>(&network.layers[l])) {
      norms.back() += norm(sum->other);
    }
  }
  return norms;
}

class NetworkStepsTest : public ::testing::TestWithParam<NetworkCase> {
 protected:
  static constexpr std::size_t kBatch = 3;

  NetworkStepsTest() {
    network_.input_shape = {4, 6, 4};
    network_.layers = GetParam().layers;
    network_.inputs = GetParam().inputs;
    const SampleShape shape = ValueShapes(network_).back();
    network_.layers.emplace_back(RandomDense(random_, shape.size(), 3, 0.3));
    EXPECT_TRUE(CheckNetwork(network_).ok()) << CheckNetwork(network_);
    x_ = RandomFloats(random_, kBatch * network_.input_shape.size(), 1.0);
  }

  // Numbers and norms of a few units: float32 errs by far less than 1e-4 and float64 than 1e-13,
  // while any number out of its place shows as an error of that size.
  template <typename Number>
  void ExpectScoresAndNorms(const std::vector<Number>& scores, const std::vector<Upper>& norms,
                            double tolerance) {
    const std::size_t size = network_.input_shape.size();
    for (std::size_t r = 0; r < kBatch; ++r) {
      const auto input = std::span<const float>(x_).subspan(r * size, size);
      const auto exact = QuadScores(network_, input);
      for (std::size_t i = 0; i < exact.size(); ++i) {
        EXPECT_NEAR(static_cast<double>(scores[r * exact.size() + i]),
                    static_cast<double>(exact[i]), tolerance);
      }
      const auto exact_norms = RoundingInputNorms(network_, input);
      ASSERT_EQ(norms.size(), exact_norms.size() * kBatch);
      for (std::size_t l = 0; l < exact_norms.size(); ++l) {
        EXPECT_NEAR(norms[l * kBatch + r].value(), static_cast<double>(exact_norms[l]), 1e-4);
      }
    }
  }

  std::mt19937_64 random_{4};
  FrozenNetwork network_;
  std::vector<float> x_;
};

TEST_P(NetworkStepsTest, Float32ComputesTheNetwork) {
  const InferenceGraph graph(network_, kBatch);
  auto workspace = graph.NewWorkspace();
  std::vector<float> scores(kBatch * 3);
  std::vector<Upper> norms(graph.num_rounding_layers() * kBatch);
  graph.Run({x_.data(), kBatch, network_.input_shape.size()}, workspace, {scores.data(), kBatch, 3},
            norms);
  ExpectScoresAndNorms(scores, norms, 1e-4);
}

TEST_P(NetworkStepsTest, Float64ComputesTheNetwork) {
  const Float64Network float64(network_, kBatch);
  auto workspace = float64.NewWorkspace();
  std::vector<double> scores(kBatch * 3);
  std::vector<Upper> norms(float64.num_rounding_layers() * kBatch);
  float64.Run({x_.data(), kBatch, network_.input_shape.size()}, workspace, scores, norms);
  ExpectScoresAndNorms(scores, norms, 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Networks, NetworkStepsTest, ::testing::ValuesIn(NetworkCases()),
                         [](const auto& instance) { return instance.param.name; });

// Layers this wide are evaluated in pieces of one row: each has norms of its own.
TEST(Float64NetworkTest, EveryPieceOfABatchHasItsOwnNorms) {
  constexpr std::size_t kWidth = std::size_t{1} << 16;
  constexpr std::size_t kRows = 3;
  const FrozenNetwork network{.input_shape = {.channels = 1, .height = 1, .width = kWidth},
                              .layers = {AbsLayer{}, FlattenLayer{},
                                         DenseLayer{.inputs = kWidth,
                                                    .outputs = 1,
                                                    .weights = std::vector<float>(kWidth, 1.0F),
                                                    .bias = {},
                                                    .claimed_operator_norm_bound = 256.0}}};
  const Float64Network float64(network, kRows);
  std::vector<float> inputs(kRows * kWidth);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    inputs[k] = static_cast<float>(1 + k / kWidth);
  }
  auto workspace = float64.NewWorkspace();
  std::vector<double> scores(kRows);
  std::vector<Upper> norms(kRows);
  float64.Run({inputs.data(), kRows, kWidth}, workspace, scores, norms);
  for (std::size_t row = 0; row < kRows; ++row) {
    EXPECT_NEAR(norms[row].value(), 256.0 * static_cast<double>(1 + row), 1e-6) << row;
  }
}

}  // namespace
}  // namespace lipserve
