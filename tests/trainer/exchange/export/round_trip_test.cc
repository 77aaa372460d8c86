// SPDX-License-Identifier: Apache-2.0
// Exported files, read again: the float64 evaluation of the graph computes what the frozen network
// does, and importing gives the weights bit for bit and the same bounds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/certificate/network_bounds.h"
#include "model/execution/float64_network.h"
#include "tests/temporary_folder.h"
#include "tests/trainer/exchange/export/export_cases.h"
#include "trainer/exchange/evaluation/evaluate.h"
#include "trainer/exchange/export/export_onnx.h"
#include "trainer/exchange/graph/read_graph.h"
#include "trainer/exchange/import/converter.h"

namespace lipserve::exchange {
namespace {

constexpr std::size_t kBatch = 3;

absl::StatusOr<Graph> ReadAgain(const FrozenModel& model) {
  const TemporaryFolder folder;
  const auto bounds = NetworkBounds::Create(model.network);
  WriteBytes(folder.path("model.onnx"), *OnnxBytes(model, *bounds));
  return ReadGraph(folder.path("model.onnx"), {});
}

std::vector<float> InputsOf(const FrozenNetwork& network) {
  std::mt19937_64 random(9);
  return RandomFloats(random, kBatch * network.input_shape.size(), 1.0);
}

// The scores of the classes.
std::vector<double> ScoresOf(const FrozenNetwork& network, const std::vector<float>& inputs) {
  const Float64Network float64(network, kBatch);
  auto workspace = float64.NewWorkspace();
  std::vector<double> rows(kBatch * NumRows(network));
  std::vector<Upper> norms(kBatch * float64.num_rounding_layers());
  float64.Run({inputs.data(), kBatch, network.input_shape.size()}, workspace, rows, norms);
  std::vector<double> scores;
  const auto step = static_cast<std::ptrdiff_t>(network.prototypes_per_class);
  for (auto row = rows.begin(); row != rows.end(); row += step) {
    scores.push_back(*std::max_element(row, row + step));
  }
  return scores;
}

// Float64 rounds by 1e-16; fewer than a thousand roundings follow one another.
void ExpectSame(const std::vector<double>& got, const std::vector<double>& expected,
                double tolerance = 1e-13) {
  ASSERT_EQ(got.size(), expected.size());
  double largest = 0.0;
  for (const double score : expected) largest = std::max(largest, std::fabs(score));
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], tolerance * largest);
}

// All weights, biases, slopes, directions and scales but zeros, in ascending order: where sorts and
// permutations go into the next layer, its columns move.
std::vector<float> NumbersOf(const FrozenNetwork& network) {
  std::vector<float> numbers;
  const auto add = [&numbers](const std::vector<float>& more) {
    for (const float number : more) {
      if (number != 0.0F) numbers.push_back(number);
    }
  };
  const auto add_linear = [&add](const auto& layer) {
    add(layer.weights);
    add(layer.bias);
  };
  for (const FrozenLayer& layer : network.layers) {
    if (const auto* dense = std::get_if<DenseLayer>(&layer)) add_linear(*dense);
    if (const auto* convolution = std::get_if<ConvolutionLayer>(&layer)) add_linear(*convolution);
    if (const auto* potential = std::get_if<ConvexPotentialLayer>(&layer)) {
      std::visit(add_linear, potential->inner);
    }
    if (const auto* prelu = std::get_if<PReluLayer>(&layer)) add(prelu->slopes);
    if (const auto* householder = std::get_if<HouseholderLayer>(&layer)) {
      add(householder->directions);
    }
    if (const auto* pool = std::get_if<AveragePoolLayer>(&layer)) add({pool->scale});
    if (const auto* clip = std::get_if<ClipLayer>(&layer)) add({clip->low, clip->high});
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

TEST(RoundTripTest, TheGraphComputesWhatTheNetworkDoes) {
  for (const ExportCase& test : ExportCases()) {
    SCOPED_TRACE(test.name);
    const FrozenNetwork& network = test.model.network;
    const auto graph = ReadAgain(test.model);
    ASSERT_TRUE(graph.ok()) << graph.status();
    const std::vector<float> inputs = InputsOf(network);
    const SampleShape& shape = network.input_shape;
    Tensor images{
        .dims = {static_cast<std::int64_t>(kBatch), static_cast<std::int64_t>(shape.channels),
                 static_cast<std::int64_t>(shape.height), static_cast<std::int64_t>(shape.width)}};
    images.values = inputs;
    const auto outputs = Evaluate(*graph, images);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    ASSERT_EQ(outputs->size(), 1);
    ExpectSame(std::get<std::vector<double>>(outputs->front().values), ScoresOf(network, inputs));
  }
}

// x + E x becomes one convolution, whose weights round; x + x becomes 2 x; prototypes become a sort
// and a dense layer. Their scores stay.
bool ChangesForm(const std::string& name) {
  return name == "branches" || name == "sumOfAValueWithItself" || name == "ranks" ||
         name == "prototypes";
}

TEST(RoundTripTest, ImportingGivesTheSameNumbersScoresAndBounds) {
  for (const ExportCase& test : ExportCases()) {
    SCOPED_TRACE(test.name);
    const FrozenNetwork& network = test.model.network;
    auto graph = ReadAgain(test.model);
    ASSERT_TRUE(graph.ok()) << graph.status();
    auto converted = Convert(*std::move(graph));
    ASSERT_TRUE(converted.ok()) << converted.status();
    const std::size_t rounded = converted->rounded_weights;
    const ExportCase again = CaseOf(test.name, std::move(converted->network));
    const std::vector<float> inputs = InputsOf(network);
    // Rounded weights are off by 2^-24 of themselves.
    ExpectSame(ScoresOf(again.model.network, inputs), ScoresOf(network, inputs),
               rounded > 0 ? 1e-6 : 1e-13);
    if (ChangesForm(test.name)) continue;
    EXPECT_EQ(rounded, 0);
    EXPECT_EQ(NumbersOf(again.model.network), NumbersOf(network));
    const auto bounds = NetworkBounds::Create(again.model.network);
    const auto expected = NetworkBounds::Create(network);
    ASSERT_TRUE(bounds.ok()) << bounds.status();
    EXPECT_NEAR(bounds->hidden_lipschitz().value(), expected->hidden_lipschitz().value(),
                1e-9 * expected->hidden_lipschitz().value());
  }
}

}  // namespace
}  // namespace lipserve::exchange
