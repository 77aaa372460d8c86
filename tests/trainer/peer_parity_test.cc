// SPDX-License-Identifier: Apache-2.0
// Our layers and losses beside the peers': the same weights and inputs give the same outputs,
// values and gradients. tests/golden/make_golden.py ran the peers.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "model/execution/image_layout.h"
#include "tests/trainer/loss_check.h"
#include "trainer/network/make_layer.h"

namespace lipserve::trainer {
namespace {

using Json = nlohmann::json;
using Numbers = std::vector<float>;

Json ReadGolden() {
  std::ifstream file(PEERS_JSON);
  Json golden = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(golden.is_discarded()) << PEERS_JSON;
  return golden;
}

Numbers NumbersOf(const Json& json) { return json.get<Numbers>(); }

SampleShape ShapeOf(const Json& json) {
  return {json[0].get<std::size_t>(), json[1].get<std::size_t>(), json[2].get<std::size_t>()};
}

// Every number within `tolerance` of the largest expected one, or of 1.
void ExpectClose(const Numbers& got, const Numbers& expected, double tolerance, const char* what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  double largest = 1.0;
  for (const float value : expected) {
    largest = std::max(largest, std::abs(static_cast<double>(value)));
  }
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(got[i]), static_cast<double>(expected[i]), tolerance * largest)
        << what << "[" << i << "]";
  }
}

// What float32 leaves of a step through a layer of this size: some tens of roundings, 2^-24 each,
// and those of a Gram matrix of condition number below 2.
constexpr double kRounding = 1e-5;
// Kernels by Cholesky and the peers' other regularised formulas: the ridge, 1e-6 of the mean
// square, in a matrix of condition number below 2, once in the weights and twice in a gradient.
constexpr double kRidge = 1e-5;

// A batch of golden images between torch's layout and ours.
struct Batch {
  SampleShape shape;
  std::size_t size;

  Numbers FromGolden(const Numbers& images) const {
    Numbers ours(images.size());
    ToChannelsLast(images.data(), shape, size, ours.data());
    return ours;
  }
  Numbers ToGolden(const Numbers& images) const {
    Numbers golden(images.size());
    ToRowMajor(images.data(), shape, size, golden.data());
    return golden;
  }
  MatrixView View(Numbers& images) const { return {images.data(), size, shape.size()}; }
};

void SetParameters(Layer& layer, const Json& values) {
  ASSERT_EQ(layer.parameters().size(), values.size());
  for (Parameter& parameter : layer.parameters()) {
    ASSERT_TRUE(values.contains(parameter.name)) << parameter.name;
    const Numbers numbers = NumbersOf(values[parameter.name]);
    ASSERT_EQ(parameter.values.size(), numbers.size());
    parameter.values = numbers;
  }
}

void ExpectLayerMatches(const Json& golden) {
  v1::LayerSpec spec;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(golden["ours"], &spec));
  std::mt19937_64 random(51);
  const Batch in{ShapeOf(golden["input_shape"]),
                 golden["x"].size() / ShapeOf(golden["input_shape"]).size()};
  const Batch out{ShapeOf(golden["output_shape"]), in.size};
  // Not the first layer: that reads images in row-major order.
  const auto layer = MakeLayer(spec, 1, in.shape, random);
  ASSERT_TRUE(layer.ok()) << layer.status();
  ASSERT_EQ((*layer)->output_shape(), out.shape);
  SetParameters(**layer, golden["parameters"]);

  Numbers x = in.FromGolden(NumbersOf(golden["x"]));
  Numbers dy = out.FromGolden(NumbersOf(golden["dy"]));
  Numbers y(out.size * out.shape.size());
  Numbers dx(x.size());
  (*layer)->PrepareStep(true);
  (*layer)->Forward(in.View(x), out.View(y));
  (*layer)->Backward(in.View(x), out.View(y), out.View(dy), in.View(dx));
  (*layer)->FinishStep();
  ExpectClose(out.ToGolden(y), NumbersOf(golden["y"]), kRounding + kRidge, "y");
  ExpectClose(in.ToGolden(dx), NumbersOf(golden["dx"]), kRounding + kRidge, "dx");
  for (const Parameter& parameter : (*layer)->parameters()) {
    ExpectClose(parameter.gradient, NumbersOf(golden["gradients"][parameter.name]),
                kRounding + 2.0 * kRidge, parameter.name.c_str());
  }
}

void ExpectLossMatches(const Json& golden) {
  const Numbers scores = NumbersOf(golden["scores"]);
  const auto labels = golden["labels"].get<std::vector<std::int32_t>>();
  const std::size_t classes = scores.size() / labels.size();
  const LossCase c{scores, labels, Numbers(classes)};
  const auto loss = MakeLossOf(golden["ours"], classes);
  Numbers gradient(scores.size());
  loss->Observe(c.batch().scores);
  const double value =
      loss->Evaluate(c.batch(), {.scores = {gradient.data(), labels.size(), classes}});
  // Both compute in float64.
  EXPECT_NEAR(value, golden["value"].get<double>(), 1e-6);
  ExpectClose(gradient, NumbersOf(golden["gradient"]), 1e-6, "gradient");
}

TEST(PeerParityTest, LayersGiveThePeersOutputsAndGradients) {
  const Json golden = ReadGolden();
  for (const Json& layer : golden["layers"]) {
    SCOPED_TRACE(layer["peer"].get<std::string>() + " = " + layer["ours"].get<std::string>());
    ExpectLayerMatches(layer);
  }
  EXPECT_GE(golden["layers"].size(), 25U);
}

TEST(PeerParityTest, LossesGiveThePeersValuesAndGradients) {
  const Json golden = ReadGolden();
  for (const Json& loss : golden["losses"]) {
    SCOPED_TRACE(loss["peer"].get<std::string>() + " = " + loss["ours"].get<std::string>());
    ExpectLossMatches(loss);
  }
  EXPECT_GE(golden["losses"].size(), 13U);
}

}  // namespace
}  // namespace lipserve::trainer
