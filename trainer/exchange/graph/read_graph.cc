// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/graph/read_graph.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/graph/graph_builder.h"
#include "trainer/exchange/graph/read_tensor.h"
#include "trainer/exchange/graph/refused_operators.h"

namespace lipserve::exchange {
namespace {

constexpr std::size_t kArraysBesideTheFile = std::size_t{64} << 20;
constexpr int kMaxNodes = 1 << 20;
constexpr const char kMlDomain[] = "ai.onnx.ml";

// Reads from the stream, so that the file is not held twice. Deep nesting ends the parse.
absl::Status Parse(const std::string& path, onnx::ModelProto& model) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::NotFoundError(
        "expected an ONNX file, got none that can be opened: check the path");
  }
  std::string start(64, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(file.gcount()));
  if (absl::StartsWith(start, "version https://git-lfs")) {
    return absl::InvalidArgumentError(
        "expected an ONNX file, got a Git LFS pointer to one: run \"git lfs pull\"");
  }
  file.clear();
  file.seekg(0);
  google::protobuf::io::IstreamInputStream stream(&file);
  google::protobuf::io::CodedInputStream coded(&stream);
  coded.SetTotalBytesLimit(std::numeric_limits<int>::max());
  if (model.ParseFromCodedStream(&coded) && coded.ConsumedEntireMessage() && model.has_graph()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "expected an ONNX model, got bytes that are none, or graphs nested too deep: export the "
      "model "
      "again");
}

// The versions of the operators, by domain: "" is ai.onnx.
absl::StatusOr<std::map<std::string, std::int64_t>> ReadOpsets(const onnx::ModelProto& model) {
  if (model.ir_version() < 3 || model.ir_version() > 10) {
    return absl::InvalidArgumentError(absl::StrCat("ir_version: expected 3 to 10, got ",
                                                   model.ir_version(),
                                                   ": export the model with opset 17"));
  }
  std::map<std::string, std::int64_t> opsets;
  for (const auto& opset : model.opset_import()) {
    const std::string domain = opset.domain() == "ai.onnx" ? "" : opset.domain();
    if (domain.empty() && (opset.version() < 7 || opset.version() > 22)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "opset: expected 7 to 22, got ", opset.version(), ": export the model with opset 17"));
    }
    if (domain == kMlDomain && (opset.version() < 1 || opset.version() > 5)) {
      return absl::InvalidArgumentError(absl::StrCat("opset of ai.onnx.ml: expected 1 to 5, got ",
                                                     opset.version(), ": export the model again"));
    }
    opsets[domain] = opset.version();
  }
  return opsets;
}

// The name, type and shape of the one input that is no initializer.
struct Input {
  std::string name;
  ElementType type = ElementType::kFloat32;
  Dims dims = {};  // kBatch first
  std::optional<std::int64_t> fixed_batch = std::nullopt;
};

absl::StatusOr<Dims> ImageDims(const onnx::TypeProto::Tensor& tensor, const std::string& name,
                               const ReadOptions& options) {
  Dims dims;
  for (int i = 1; i < tensor.shape().dim_size(); ++i) {
    const auto& dim = tensor.shape().dim(i);
    if (dim.has_dim_value() && (dim.dim_value() <= 0 || dim.dim_value() > kMaxElements)) {
      return absl::InvalidArgumentError(absl::StrCat("input \"", name,
                                                     "\": expected dimensions from 1 on, got ",
                                                     dim.dim_value(), ": export the model again"));
    }
    dims.push_back(dim.has_dim_value() ? dim.dim_value() : 0);
  }
  const bool is_open = dims.empty() || std::find(dims.begin(), dims.end(), 0) != dims.end();
  if (!options.input_shape) {
    if (!is_open) return dims;
    return absl::InvalidArgumentError(absl::StrCat(
        "input \"", name, "\": expected [batch, ...] with a fixed shape of each image, got ",
        tensor.has_shape() ? absl::StrCat(tensor.shape().dim_size(), " axes with open ones")
                           : "no shape",
        ": give --input-shape, e.g. --input-shape 3,32,32"));
  }
  const Dims& given = *options.input_shape;
  bool fits = tensor.shape().dim_size() == 0 || given.size() == dims.size();
  for (std::size_t i = 0; fits && i < given.size(); ++i) {
    fits = given[i] > 0 && given[i] <= kMaxElements &&
           (i >= dims.size() || dims[i] == 0 || dims[i] == given[i]);
  }
  if (fits && !given.empty()) return given;
  return absl::InvalidArgumentError(
      absl::StrCat("input \"", name, "\": expected an --input-shape that fits ", DimsText(dims),
                   " (0 is open), got ", DimsText(given)));
}

absl::StatusOr<Input> ReadInput(const onnx::ValueInfoProto& info, const ReadOptions& options) {
  Input input{.name = info.name()};
  if (!info.type().has_tensor_type()) {
    return absl::InvalidArgumentError(
        absl::StrCat("input \"", input.name, "\": expected a tensor, got another type"));
  }
  const auto& tensor = info.type().tensor_type();
  const int type = tensor.elem_type();
  if (type != onnx::TensorProto::FLOAT && type != onnx::TensorProto::DOUBLE &&
      type != onnx::TensorProto::FLOAT16) {
    return absl::InvalidArgumentError(
        absl::StrCat("input \"", input.name, "\": expected float32 numbers, got type ", type,
                     " of TensorProto.DataType: export the model with a float32 input"));
  }
  input.type = type == onnx::TensorProto::DOUBLE ? ElementType::kFloat64 : ElementType::kFloat32;
  LIPSERVE_ASSIGN_OR_RETURN(const Dims image, ImageDims(tensor, input.name, options));
  input.dims = {kBatch};
  input.dims.insert(input.dims.end(), image.begin(), image.end());
  if (tensor.shape().dim_size() > 0 && tensor.shape().dim(0).has_dim_value()) {
    const std::int64_t batch = tensor.shape().dim(0).dim_value();
    if (batch < 1 || batch > (1 << 16)) {
      return absl::InvalidArgumentError(
          absl::StrCat("input \"", input.name, "\": expected a batch of 1 to 65536, got ", batch,
                       ": export the model with a dynamic batch"));
    }
    input.fixed_batch = batch;
  }
  return input;
}

absl::StatusOr<Attribute> ReadAttribute(onnx::AttributeProto& proto, const std::string& folder,
                                        const std::string& what, ArrayBudget& budget,
                                        std::vector<std::string>& notes) {
  switch (proto.type()) {
    case onnx::AttributeProto::INT:
      return proto.i();
    case onnx::AttributeProto::FLOAT:
      return proto.f();
    case onnx::AttributeProto::STRING:
      return proto.s();
    case onnx::AttributeProto::TENSOR:
      return ReadTensor(*proto.mutable_t(), folder, what, budget, notes);
    case onnx::AttributeProto::INTS:
      return Dims(proto.ints().begin(), proto.ints().end());
    case onnx::AttributeProto::FLOATS:
      for (const float value : proto.floats()) {
        if (std::isfinite(value)) continue;
        return absl::InvalidArgumentError(
            absl::StrCat(what, ": expected finite numbers, got ", value));
      }
      return std::vector<float>(proto.floats().begin(), proto.floats().end());
    case onnx::AttributeProto::STRINGS:
      return std::vector<std::string>(proto.strings().begin(), proto.strings().end());
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          what, ": expected numbers, text or a tensor, got type ", static_cast<int>(proto.type()),
          " of AttributeProto: export the model "
          "without control flow and sparse tensors"));
  }
}

class ModelReader {
 public:
  ModelReader(onnx::ModelProto& model, std::string folder, const ReadOptions& options,
              std::size_t file_size)
      : model_(model),
        folder_(std::move(folder)),
        options_(options),
        budget_(kArraysBesideTheFile + 4 * file_size) {}

  absl::StatusOr<Graph> Read() {
    LIPSERVE_ASSIGN_OR_RETURN(opsets_, ReadOpsets(model_));
    LIPSERVE_RETURN_IF_ERROR(CheckOperators());
    onnx::GraphProto& graph = *model_.mutable_graph();
    std::set<std::string> constants;
    for (const auto& initializer : graph.initializer()) constants.insert(initializer.name());
    LIPSERVE_ASSIGN_OR_RETURN(const Input input, FindInput(constants));
    GraphBuilder builder(budget_, input.fixed_batch);
    LIPSERVE_RETURN_IF_ERROR(builder.AddInput(input.name, input.type, input.dims));
    for (auto& initializer : *graph.mutable_initializer()) {
      const std::string name = initializer.name();
      LIPSERVE_ASSIGN_OR_RETURN(
          Tensor tensor, ReadTensor(initializer, folder_,
                                    absl::StrCat("initializer \"", name, "\""), budget_, notes_));
      LIPSERVE_RETURN_IF_ERROR(builder.AddConstant(name, std::move(tensor)));
    }
    for (int n = 0; n < graph.node_size(); ++n) {
      LIPSERVE_RETURN_IF_ERROR(AddNode(*graph.mutable_node(n), n, builder));
    }
    if (graph.output_size() == 0) {
      return absl::InvalidArgumentError("expected an output, got none: export the model again");
    }
    for (const auto& output : graph.output()) {
      LIPSERVE_RETURN_IF_ERROR(builder.AddOutput(output.name()));
    }
    LIPSERVE_ASSIGN_OR_RETURN(Graph result, std::move(builder).Build());
    result.notes = std::move(notes_);
    return result;
  }

 private:
  static std::string NameOf(const onnx::NodeProto& node, int index) {
    return node.name().empty() ? absl::StrCat("node ", index)
                               : absl::StrCat("node '", node.name(), "'");
  }

  // By name, before anything is computed.
  absl::Status CheckOperators() const {
    const onnx::GraphProto& graph = model_.graph();
    if (graph.node_size() > kMaxNodes) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected at most ", kMaxNodes, " nodes, got ", graph.node_size()));
    }
    if (graph.sparse_initializer_size() > 0) {
      return absl::InvalidArgumentError(
          "expected dense initializers, got a sparse one: export the model with dense weights");
    }
    for (int n = 0; n < graph.node_size(); ++n) {
      const onnx::NodeProto& node = graph.node(n);
      const bool is_ours = node.domain().empty() || node.domain() == "ai.onnx";
      const std::string place = absl::StrCat(NameOf(node, n), " (", node.op_type(), "): ");
      if (!is_ours && node.domain() != kMlDomain) {
        return absl::InvalidArgumentError(absl::StrCat(
            place, "expected an operator of ai.onnx or ai.onnx.ml, got one of domain \"",
            node.domain(), "\": export the model with standard operators only"));
      }
      if (!IsKnownOperator(OperatorName(node))) {
        return absl::InvalidArgumentError(
            absl::StrCat(place, "expected an operator that can be proven, got ", node.op_type(),
                         ": ", WhyRefused(node.op_type())));
      }
      if (opsets_.count(is_ours ? "" : kMlDomain) == 0) {
        return absl::InvalidArgumentError(
            absl::StrCat(place,
                         "expected an opset_import of its domain, got none: the file is "
                         "damaged"));
      }
    }
    return absl::OkStatus();
  }

  static std::string OperatorName(const onnx::NodeProto& node) {
    return node.domain() == kMlDomain ? absl::StrCat(kMlDomain, ".", node.op_type())
                                      : node.op_type();
  }

  absl::StatusOr<Input> FindInput(const std::set<std::string>& constants) const {
    const onnx::ValueInfoProto* input = nullptr;
    for (const auto& info : model_.graph().input()) {
      if (constants.count(info.name()) != 0) continue;
      if (input != nullptr) {
        return absl::InvalidArgumentError(absl::StrCat("expected one input, got \"", input->name(),
                                                       "\" and \"", info.name(),
                                                       "\": export a model of one image"));
      }
      input = &info;
    }
    if (input != nullptr) return ReadInput(*input, options_);
    return absl::InvalidArgumentError("expected one input, got none: export the model again");
  }

  absl::Status AddNode(onnx::NodeProto& proto, int index, GraphBuilder& builder) {
    const bool is_ml = proto.domain() == kMlDomain;
    Node node{.op = OperatorName(proto),
              .name = NameOf(proto, index),
              .opset = opsets_.at(is_ml ? kMlDomain : ""),
              .inputs = {},
              .outputs = {},
              .attributes = {}};
    for (auto& attribute : *proto.mutable_attribute()) {
      const std::string what = absl::StrCat(NodeText(node), ": attribute ", attribute.name());
      LIPSERVE_ASSIGN_OR_RETURN(Attribute value,
                                ReadAttribute(attribute, folder_, what, budget_, notes_));
      if (!node.attributes.emplace(attribute.name(), std::move(value)).second) {
        return absl::InvalidArgumentError(
            absl::StrCat(what, ": expected once, got it twice: the file is damaged"));
      }
    }
    return builder.AddNode(std::move(node), {proto.input().begin(), proto.input().end()},
                           {proto.output().begin(), proto.output().end()});
  }

  onnx::ModelProto& model_;
  std::string folder_;
  const ReadOptions& options_;
  ArrayBudget budget_;
  std::map<std::string, std::int64_t> opsets_;
  std::vector<std::string> notes_;
};

}  // namespace

absl::StatusOr<Graph> ReadGraph(const std::string& path, const ReadOptions& options) {
  const auto at_file = [&](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(path, ": ", std::string(status.message())));
  };
  onnx::ModelProto model;
  if (const absl::Status status = Parse(path, model); !status.ok()) return at_file(status);
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  absl::StatusOr<Graph> graph =
      ModelReader(model, folder, options, error ? 0 : static_cast<std::size_t>(size)).Read();
  if (!graph.ok()) return at_file(graph.status());
  graph->file = path;
  return graph;
}

}  // namespace lipserve::exchange
