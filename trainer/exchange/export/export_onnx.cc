// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/export/export_onnx.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/arithmetic/outward_rounding.h"
#include "model/arithmetic/vector_norm.h"
#include "model/foundation/status_macros.h"
#include "model/network/sealed_file.h"
#include "trainer/exchange/export/layer_nodes.h"
#include "trainer/exchange/export/node_writer.h"

namespace lipserve::exchange {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kIrVersion = 8;
constexpr std::int64_t kOpset = 17;
constexpr char kImages[] = "images";  // the server's names
constexpr char kScores[] = "scores";

// A float32 tensor with any batch.
void Describe(const char* name, const std::vector<std::size_t>& dims, onnx::ValueInfoProto& value) {
  value.set_name(name);
  onnx::TypeProto::Tensor& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  tensor.mutable_shape()->add_dim()->set_dim_param("batch");
  for (const std::size_t dim : dims) {
    tensor.mutable_shape()->add_dim()->set_dim_value(static_cast<std::int64_t>(dim));
  }
}

absl::Status CheckSize(std::size_t bytes, std::size_t most_bytes) {
  if (bytes <= most_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("ONNX file: expected at most ", most_bytes, " bytes, got at least ", bytes,
                   "; protobuf reads no more, so export a model with fewer weights"));
}

absl::Status AddNodes(const FrozenNetwork& network, std::size_t most_bytes,
                      onnx::GraphProto& graph) {
  NodeWriter writer(graph);
  std::vector<GraphValue> values = {{.name = kImages, .shape = network.input_shape}};
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const FrozenLayer& layer = network.layers[i];
    const auto* const sum = std::get_if<SumLayer>(&layer);
    writer.BeginLayer(i);
    values.push_back(AddLayer(layer, values[network.InputOf(i)],
                              values[sum == nullptr ? 0 : sum->other], writer));
    LIPSERVE_RETURN_IF_ERROR(CheckSize(writer.initializer_bytes(), most_bytes));
  }
  if (network.prototypes_per_class > 1) {
    // The score of a class is the largest of its prototypes' scores.
    const auto prototypes = static_cast<std::int64_t>(network.prototypes_per_class);
    const auto classes = static_cast<std::int64_t>(NumScores(network));
    const std::string dims = writer.AddIntegers("shape", {0, classes, prototypes});
    const std::string rows = writer.Add("Reshape", {values.back().name, dims});
    writer.Add("ReduceMax", {rows}, {{"axes", Integers{2}}, {"keepdims", 0}});
  }
  graph.mutable_node(graph.node_size() - 1)->set_output(0, kScores);
  return absl::OkStatus();
}

// An upper bound of the Lipschitz constant of each score.
std::vector<double> ScoreBounds(const FrozenNetwork& network, const NetworkBounds& bounds) {
  const ScopedStrictFloatingPoint strict;
  const auto& last = std::get<DenseLayer>(network.layers.back());
  std::vector<double> scores(NumScores(network));
  for (std::size_t row = 0; row < last.outputs; ++row) {
    const std::span<const float> weights(&last.weights[row * last.inputs], last.inputs);
    double& score = scores[row / network.prototypes_per_class];
    score = std::max(score, (NormBound(weights) * bounds.hidden_lipschitz()).value());
  }
  return scores;
}

void AddMetadata(const FrozenModel& frozen, const NetworkBounds& bounds, onnx::ModelProto& model) {
  const auto add = [&model](const char* key, const std::string& value) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  };
  add("lipserve.digest", ToHex(frozen.digest));
  add("lipserve.labels", Json(frozen.class_labels).dump());
  // 0: the model says nothing of pixels.
  if (frozen.pixel_divisor != 0.0) {
    add("lipserve.pixel_divisor", Json(frozen.pixel_divisor).dump());
  }
  add("lipserve.prototypes_per_class", absl::StrCat(frozen.network.prototypes_per_class));
  add("lipserve.layer_bounds", Json(bounds.layer_lipschitz()).dump());
  add("lipserve.score_bounds", Json(ScoreBounds(frozen.network, bounds)).dump());
}

}  // namespace

absl::StatusOr<std::string> OnnxBytes(const FrozenModel& model, const NetworkBounds& bounds,
                                      std::size_t most_bytes) {
  onnx::ModelProto onnx_model;
  onnx_model.set_ir_version(kIrVersion);
  onnx_model.add_opset_import()->set_version(kOpset);
  onnx_model.set_producer_name("lipserve");
  onnx_model.set_producer_version(LIPSERVE_VERSION);
  AddMetadata(model, bounds, onnx_model);
  onnx::GraphProto& graph = *onnx_model.mutable_graph();
  graph.set_name(model.name);
  const SampleShape& shape = model.network.input_shape;
  Describe(kImages, {shape.channels, shape.height, shape.width}, *graph.add_input());
  Describe(kScores, {NumScores(model.network)}, *graph.add_output());
  LIPSERVE_RETURN_IF_ERROR(AddNodes(model.network, most_bytes, graph));
  LIPSERVE_RETURN_IF_ERROR(CheckSize(onnx_model.ByteSizeLong(), most_bytes));
  return onnx_model.SerializeAsString();
}

}  // namespace lipserve::exchange
