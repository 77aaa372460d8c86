// SPDX-License-Identifier: Apache-2.0
// What an exported file holds. What other runtimes make of it: onnxruntime_test.py.
#include "trainer/exchange/export/export_onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cstddef>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/certified_model.h"
#include "model/network/sealed_file.h"
#include "tests/trainer/exchange/export/export_cases.h"

namespace lipserve::exchange {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Json = nlohmann::json;

onnx::ModelProto Exported(const FrozenModel& model) {
  const auto bounds = NetworkBounds::Create(model.network);
  EXPECT_TRUE(bounds.ok()) << bounds.status();
  const auto bytes = OnnxBytes(model, *bounds);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  onnx::ModelProto onnx_model;
  EXPECT_TRUE(onnx_model.ParseFromString(*bytes));
  return onnx_model;
}

std::map<std::string, std::string> Metadata(const onnx::ModelProto& model) {
  std::map<std::string, std::string> metadata;
  for (const auto& entry : model.metadata_props()) metadata[entry.key()] = entry.value();
  EXPECT_EQ(metadata.size(), static_cast<std::size_t>(model.metadata_props_size()));
  return metadata;
}

std::vector<std::int64_t> Dims(const onnx::TensorProto& tensor) {
  return {tensor.dims().begin(), tensor.dims().end()};
}

// "[batch, 1, 28, 28]".
std::string ShapeOf(const onnx::ValueInfoProto& value) {
  std::string text = "[";
  for (const auto& dim : value.type().tensor_type().shape().dim()) {
    if (text.size() > 1) text += ", ";
    text += dim.has_dim_param() ? dim.dim_param() : std::to_string(dim.dim_value());
  }
  return text + "]";
}

std::string BytesOf(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

struct Export {
  ExportCase test;
  onnx::ModelProto model;
};

// Every case of export_cases.h, exported once.
const std::vector<Export>& Exports() {
  static const std::vector<Export> exports = [] {
    std::vector<Export> all;
    for (ExportCase& test : ExportCases()) {
      onnx::ModelProto model = Exported(test.model);
      all.push_back({std::move(test), std::move(model)});
    }
    return all;
  }();
  return exports;
}

TEST(ExportOnnxTest, HasStandardOperatorsOfOpset17AndAnyBatch) {
  for (const auto& [test, model] : Exports()) {
    SCOPED_TRACE(test.name);
    const FrozenNetwork& network = test.model.network;
    EXPECT_EQ(model.ir_version(), 8);
    ASSERT_EQ(model.opset_import_size(), 1);
    EXPECT_EQ(model.opset_import(0).domain(), "");
    EXPECT_EQ(model.opset_import(0).version(), 17);
    EXPECT_EQ(model.functions_size(), 0);
    ASSERT_EQ(model.graph().input_size(), 1);
    ASSERT_EQ(model.graph().output_size(), 1);
    const SampleShape& shape = network.input_shape;
    EXPECT_EQ(model.graph().input(0).name(), "images");
    EXPECT_EQ(ShapeOf(model.graph().input(0)),
              absl::StrCat("[batch, ", shape.channels, ", ", shape.height, ", ", shape.width, "]"));
    EXPECT_EQ(model.graph().output(0).name(), "scores");
    EXPECT_EQ(ShapeOf(model.graph().output(0)), absl::StrCat("[batch, ", NumScores(network), "]"));
    for (const auto& node : model.graph().node()) EXPECT_EQ(node.domain(), "") << node.name();
  }
}

TEST(ExportOnnxTest, ReadsOnlyWhatIsThereAndNothingTwiceNamed) {
  for (const auto& [test, model] : Exports()) {
    SCOPED_TRACE(test.name);
    std::set<std::string> known = {model.graph().input(0).name()};
    std::set<std::string> read;
    for (const auto& tensor : model.graph().initializer()) {
      EXPECT_TRUE(known.insert(tensor.name()).second) << tensor.name();
    }
    std::set<std::string> nodes;
    for (const auto& node : model.graph().node()) {
      EXPECT_TRUE(nodes.insert(node.name()).second) << node.name();
      for (const std::string& input : node.input()) {
        EXPECT_TRUE(known.contains(input)) << node.name() << " reads " << input;
        read.insert(input);
      }
      for (const std::string& output : node.output()) {
        EXPECT_TRUE(known.insert(output).second) << output;
      }
    }
    EXPECT_TRUE(known.contains("scores"));
    for (const auto& tensor : model.graph().initializer()) {
      EXPECT_TRUE(read.contains(tensor.name())) << tensor.name();
    }
  }
}

TEST(ExportOnnxTest, HoldsTheWeightsBitForBit) {
  for (const auto& [test, model] : Exports()) {
    SCOPED_TRACE(test.name);
    const FrozenNetwork& network = test.model.network;
    std::map<std::string, const onnx::TensorProto*> tensors;
    for (const auto& tensor : model.graph().initializer()) tensors[tensor.name()] = &tensor;
    const auto expect = [&](std::size_t layer, const char* name, const std::vector<float>& values) {
      const std::string full_name = absl::StrCat("layer", layer, ".", name);
      ASSERT_TRUE(tensors.contains(full_name)) << full_name;
      EXPECT_EQ(tensors[full_name]->data_type(), onnx::TensorProto::FLOAT);
      EXPECT_EQ(tensors[full_name]->raw_data(), BytesOf(values)) << full_name;
    };
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const auto expect_linear = [&](const auto& layer) {
        expect(i, "weights", layer.weights);
        EXPECT_EQ(tensors.contains(absl::StrCat("layer", i, ".bias")), !layer.bias.empty());
        if (!layer.bias.empty()) expect(i, "bias", layer.bias);
      };
      const FrozenLayer& layer = network.layers[i];
      if (const auto* dense = std::get_if<DenseLayer>(&layer)) expect_linear(*dense);
      if (const auto* convolution = std::get_if<ConvolutionLayer>(&layer)) {
        expect_linear(*convolution);
      }
      if (const auto* potential = std::get_if<ConvexPotentialLayer>(&layer)) {
        std::visit(expect_linear, potential->inner);
      }
      if (const auto* prelu = std::get_if<PReluLayer>(&layer)) {
        const bool is_relu = prelu->slopes == std::vector<float>(prelu->slopes.size(), 0.0F);
        if (!is_relu) expect(i, "slopes", prelu->slopes);
      }
      if (const auto* clip = std::get_if<ClipLayer>(&layer)) {
        expect(i, "low", {clip->low});
        expect(i, "high", {clip->high});
      }
      if (const auto* householder = std::get_if<HouseholderLayer>(&layer)) {
        std::vector<float> directions[2];
        for (std::size_t k = 0; k < householder->directions.size(); ++k) {
          directions[k % 2].push_back(householder->directions[k]);
        }
        expect(i, "first_directions", directions[0]);
        expect(i, "second_directions", directions[1]);
      }
    }
  }
}

TEST(ExportMetadataTest, HoldsLabelsScalingDigestAndProvenBounds) {
  FrozenModel model = CaseOf("", WithPrototypes(RandomNetwork(3, {10, 8, 4}), 3, 5)).model;
  model.class_labels = {"a \"cat\"", "caf\xc3\xa9", "c,\\d", ""};
  model.pixel_divisor = 0.1;
  model.digest = Sha256("content");
  const onnx::ModelProto onnx_model = Exported(model);
  EXPECT_EQ(onnx_model.producer_name(), "lipserve");
  EXPECT_EQ(onnx_model.producer_version(), LIPSERVE_VERSION);
  EXPECT_EQ(onnx_model.graph().name(), "test");
  auto metadata = Metadata(onnx_model);
  EXPECT_EQ(metadata["lipserve.digest"], ToHex(model.digest));
  EXPECT_EQ(Json::parse(metadata["lipserve.labels"]), Json(model.class_labels));
  EXPECT_EQ(Json::parse(metadata["lipserve.pixel_divisor"]).get<double>(), 0.1);
  EXPECT_EQ(metadata["lipserve.prototypes_per_class"], "5");
  const auto certified = CertifiedModel::Create(model, 1);
  ASSERT_TRUE(certified.ok()) << certified.status();
  const auto layers = Json::parse(metadata["lipserve.layer_bounds"]).get<std::vector<double>>();
  const auto expected = (*certified)->layer_lipschitz_bounds();
  EXPECT_EQ(layers, std::vector<double>(expected.begin(), expected.end()));
  const auto scores = Json::parse(metadata["lipserve.score_bounds"]).get<std::vector<double>>();
  EXPECT_EQ(scores.size(), 4);
  EXPECT_EQ(*std::max_element(scores.begin(), scores.end()), (*certified)->lipschitz_bound());
}

TEST(ExportMetadataTest, SaysNothingOfPixelsWhereTheModelDoesNot) {
  FrozenModel model = CaseOf("", RandomNetwork(1, {12, 8, 1})).model;
  model.pixel_divisor = 0.0;
  EXPECT_FALSE(Metadata(Exported(model)).contains("lipserve.pixel_divisor"));
}

// Of 2 x, then rows of norms 3, 5 and 4, 1: two prototypes for each of two classes.
TEST(ExportMetadataTest, BoundsEachScoreByItsSteepestPrototype) {
  const DenseLayer twice{.inputs = 2, .outputs = 2, .weights = {2, 0, 0, 2}, .bias = {}};
  const DenseLayer last{.inputs = 2, .outputs = 4, .weights = {3, 0, 3, 4, 0, 4, 1, 0}, .bias = {}};
  const FrozenModel model =
      CaseOf("", {.input_shape = {2, 1, 1}, .layers = {twice, last}, .prototypes_per_class = 2})
          .model;
  auto metadata = Metadata(Exported(model));
  const auto scores = Json::parse(metadata["lipserve.score_bounds"]).get<std::vector<double>>();
  ASSERT_EQ(scores.size(), 2);
  EXPECT_GE(scores[0], 10.0);
  EXPECT_NEAR(scores[0], 10.0, 1e-9);
  EXPECT_GE(scores[1], 8.0);
  EXPECT_NEAR(scores[1], 8.0, 1e-9);
}

TEST(ExportNodesTest, TheSameModelGivesTheSameBytes) {
  const FrozenModel model = CaseOf("", RandomBranchingNetwork(7, 3)).model;
  const auto bounds = NetworkBounds::Create(model.network);
  EXPECT_EQ(*OnnxBytes(model, *bounds), *OnnxBytes(model, *bounds));
}

// The operators of a graph, in order.
std::vector<std::string> Operators(const onnx::ModelProto& model) {
  std::vector<std::string> operators;
  for (const auto& node : model.graph().node()) operators.push_back(node.op_type());
  return operators;
}

std::vector<std::string> OperatorsOf(const FrozenLayer& layer, const SampleShape& shape) {
  return Operators(Exported(CaseOf("", NetworkOf({"", shape, layer})).model));
}

TEST(ExportNodesTest, SlopesOfZeroAreRelu) {
  EXPECT_THAT(OperatorsOf(PReluLayer{{0.0F, 0.0F}}, {2, 1, 1}),
              ElementsAre("Relu", "Flatten", "Gemm"));
  EXPECT_THAT(OperatorsOf(PReluLayer{{0.0F, -0.0F}}, {2, 1, 1}),
              ElementsAre("PRelu", "Flatten", "Gemm"));
}

TEST(ExportNodesTest, ConvolutionsTakeZerosThemselvesAndOtherPaddingsBeforeThem) {
  const WindowAxis three{.size = 3, .padding_before = 1, .padding_after = 1};
  const auto operators = [&](PaddingMode mode) {
    return OperatorsOf(ConvolutionLayer{.input = {1, 4, 4},
                                        .output_channels = 1,
                                        .vertical = three,
                                        .horizontal = three,
                                        .padding_mode = mode,
                                        .weights = std::vector<float>(9, 0.25F)},
                       {1, 4, 4});
  };
  EXPECT_THAT(operators(PaddingMode::kZero), ElementsAre("Conv", "Flatten", "Gemm"));
  EXPECT_THAT(operators(PaddingMode::kReflect), ElementsAre("Pad", "Conv", "Flatten", "Gemm"));
  EXPECT_THAT(operators(PaddingMode::kReplicate), ElementsAre("Pad", "Conv", "Flatten", "Gemm"));
  EXPECT_THAT(operators(PaddingMode::kCircular),
              ElementsAre("Slice", "Slice", "Concat", "Slice", "Slice", "Concat", "Conv", "Flatten",
                          "Gemm"));
}

// The factors that an average pool multiplies its mean by.
std::vector<float> FactorsOf(AveragePoolLayer pool, const SampleShape& shape) {
  const onnx::ModelProto model = Exported(CaseOf("", NetworkOf({"", shape, pool})).model);
  std::vector<float> factors;
  for (const auto& tensor : model.graph().initializer()) {
    if (tensor.name() != "layer0.scale" && tensor.name() != "layer0.window") continue;
    EXPECT_THAT(Dims(tensor), ElementsAre());
    factors.push_back(0.0F);
    std::memcpy(&factors.back(), tensor.raw_data().data(), sizeof(float));
  }
  return factors;
}

TEST(ExportNodesTest, TheScaleOfAnAveragePoolCanBeFoundAgainExactly) {
  const SampleShape shape{1, 6, 6};
  EXPECT_THAT(FactorsOf({.window_height = 2, .window_width = 2, .scale = 0.25F}, shape),
              ElementsAre());
  EXPECT_THAT(FactorsOf({.window_height = 2, .window_width = 2, .scale = 0.3F}, shape),
              ElementsAre(4 * 0.3F));
  EXPECT_THAT(FactorsOf({.window_height = 3, .window_width = 3, .scale = 0.3F}, shape),
              UnorderedElementsAre(9.0F, 0.3F));
}

TEST(ExportNodesTest, RefusesAFileAboveTheLimitAndTakesOneOfIt) {
  const FrozenModel model = CaseOf("", RandomNetwork(1, {12, 8, 1})).model;
  const auto bounds = NetworkBounds::Create(model.network);
  const std::string bytes = *OnnxBytes(model, *bounds);
  EXPECT_EQ(*OnnxBytes(model, *bounds, bytes.size()), bytes);
  for (const std::size_t limit : {bytes.size() - 1, std::size_t{50}}) {
    const auto refused = OnnxBytes(model, *bounds, limit);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(refused.status().message()),
                HasSubstr(absl::StrCat("ONNX file: expected at most ", limit, " bytes, got ")));
  }
}

}  // namespace
}  // namespace lipserve::exchange
