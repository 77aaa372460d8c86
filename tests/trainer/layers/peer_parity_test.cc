// SPDX-License-Identifier: Apache-2.0
// Our layers and losses beside the peers': the same weights and inputs give the same outputs,
// values and gradients. The scripts of tests/golden ran the peers.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
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

// What the peers computed: all "layers", or all "losses".
std::vector<Json> GoldenCases(const char* kind) {
  std::vector<Json> cases;
  for (const char* name : {"peers.json", "deel_lip.json"}) {
    const std::string path = std::string(GOLDEN_FOLDER) + "/" + name;
    std::ifstream file(path);
    const Json golden = Json::parse(file, nullptr, /*allow_exceptions=*/false);
    EXPECT_FALSE(golden.is_discarded()) << path;
    cases.insert(cases.end(), golden[kind].begin(), golden[kind].end());
  }
  return cases;
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
};

// One layer, or several in a row.
class Chain {
 public:
  // `ours`: a layer as recipes have it, or an array of them. `shape`: of its inputs.
  Chain(const Json& ours, SampleShape shape) {
    std::mt19937_64 random(51);
    const std::vector<std::string> texts = ours.is_array() ? ours.get<std::vector<std::string>>()
                                                           : std::vector{ours.get<std::string>()};
    for (const std::string& text : texts) {
      v1::LayerSpec spec;
      EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
      // Not the first layer: that reads images in row-major order.
      auto layer = MakeLayer(spec, layers_.size() + 1, shape, random);
      EXPECT_TRUE(layer.ok()) << layer.status();
      shape = (*layer)->output_shape();
      layers_.push_back(*std::move(layer));
    }
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      AddNames(ours.is_array() ? "layer" + std::to_string(i) + "." : "", *layers_[i]);
    }
  }

  SampleShape output_shape() const { return layers_.back()->output_shape(); }
  // By name: "kernel"; "layer0.kernel" in a row; "branch0.kernel" inside a block.
  const std::map<std::string, Parameter*>& parameters() const { return parameters_; }

  void PrepareStep() {
    for (const auto& layer : layers_) layer->PrepareStep(true);
  }

  // y and dx of one step, which leaves the gradients in the parameters.
  std::pair<Numbers, Numbers> Step(std::size_t batch, Numbers x, Numbers dy) {
    PrepareStep();
    std::vector<Numbers> values = {std::move(x)};
    const auto view = [batch](Numbers& numbers) {
      return MatrixView{numbers.data(), batch, numbers.size() / batch};
    };
    for (const auto& layer : layers_) {
      Numbers y(batch * layer->output_shape().size());
      layer->Forward(view(values.back()), view(y));
      values.push_back(std::move(y));
    }
    for (std::size_t i = layers_.size(); i-- > 0;) {
      Numbers dx(values[i].size());
      layers_[i]->Backward(view(values[i]), view(values[i + 1]), view(dy), view(dx));
      layers_[i]->FinishStep();
      dy = std::move(dx);
    }
    return {values.back(), dy};
  }

 private:
  void AddNames(const std::string& prefix, Layer& layer) {
    for (Parameter& parameter : layer.parameters())
      parameters_[prefix + parameter.name] = &parameter;
    const std::vector<Layer*> inner = layer.InnerLayers();
    for (std::size_t i = 0; i < inner.size(); ++i) {
      AddNames(prefix + "branch" + std::to_string(i) + ".", *inner[i]);
    }
  }

  std::vector<std::unique_ptr<Layer>> layers_;
  std::map<std::string, Parameter*> parameters_;
};

void SetParameters(const Chain& chain, const Json& values) {
  ASSERT_EQ(chain.parameters().size(), values.size());
  for (const auto& [name, parameter] : chain.parameters()) {
    ASSERT_TRUE(values.contains(name)) << name;
    const Numbers numbers = NumbersOf(values[name]);
    ASSERT_EQ(parameter->values.size(), numbers.size());
    parameter->values = numbers;
  }
}

void ExpectLayerMatches(const Json& golden) {
  const Batch in{ShapeOf(golden["input_shape"]),
                 golden["x"].size() / ShapeOf(golden["input_shape"]).size()};
  const Batch out{ShapeOf(golden["output_shape"]), in.size};
  Chain chain(golden["ours"], in.shape);
  ASSERT_EQ(chain.output_shape(), out.shape);
  SetParameters(chain, golden["parameters"]);
  for (int step = golden.value("settle", 0); step > 0; --step) chain.PrepareStep();
  const auto [y, dx] = chain.Step(in.size, in.FromGolden(NumbersOf(golden["x"])),
                                  out.FromGolden(NumbersOf(golden["dy"])));
  ExpectClose(out.ToGolden(y), NumbersOf(golden["y"]), kRounding + kRidge, "y");
  ExpectClose(in.ToGolden(dx), NumbersOf(golden["dx"]), kRounding + kRidge, "dx");
  for (const auto& [name, parameter] : chain.parameters()) {
    if (!golden["gradients"].contains(name)) continue;  // the peer does not learn it
    ExpectClose(parameter->gradient, NumbersOf(golden["gradients"][name]), kRounding + 2.0 * kRidge,
                name.c_str());
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
  const std::vector<Json> layers = GoldenCases("layers");
  for (const Json& layer : layers) {
    SCOPED_TRACE(layer["peer"].get<std::string>() + " = " + layer["ours"].dump());
    ExpectLayerMatches(layer);
  }
  EXPECT_GE(layers.size(), 73U);
}

TEST(PeerParityTest, LossesGiveThePeersValuesAndGradients) {
  const std::vector<Json> losses = GoldenCases("losses");
  for (const Json& loss : losses) {
    SCOPED_TRACE(loss["peer"].get<std::string>() + " = " + loss["ours"].get<std::string>());
    ExpectLossMatches(loss);
  }
  EXPECT_GE(losses.size(), 24U);
}

}  // namespace
}  // namespace lipserve::trainer
