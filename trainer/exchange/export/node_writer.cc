// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/export/node_writer.h"

#include <onnx/onnx_pb.h>

#include <bit>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "model/foundation/overloaded.h"

namespace lipserve::exchange {
namespace {

// raw_data is little-endian.
static_assert(std::endian::native == std::endian::little);

void SetAttribute(const NodeAttribute& from, onnx::AttributeProto& to) {
  to.set_name(from.first);
  std::visit(Overloaded{
                 [&to](std::int64_t value) {
                   to.set_type(onnx::AttributeProto::INT);
                   to.set_i(value);
                 },
                 [&to](const Integers& values) {
                   to.set_type(onnx::AttributeProto::INTS);
                   to.mutable_ints()->Assign(values.begin(), values.end());
                 },
                 [&to](const char* text) {
                   to.set_type(onnx::AttributeProto::STRING);
                   to.set_s(text);
                 },
             },
             from.second);
}

}  // namespace

void NodeWriter::BeginLayer(std::size_t layer) {
  prefix_ = absl::StrCat("layer", layer, ".");
  count_ = 0;
}

std::string NodeWriter::Counted(const char* name) {
  return absl::StrCat(prefix_, count_++, ".", name);
}

onnx::NodeProto& NodeWriter::AddNode(const char* op, const std::vector<std::string>& inputs,
                                     const std::vector<NodeAttribute>& attributes) {
  onnx::NodeProto& node = *graph_.add_node();
  node.set_op_type(op);
  node.set_name(Counted(op));
  for (const std::string& input : inputs) node.add_input(input);
  for (const NodeAttribute& attribute : attributes) SetAttribute(attribute, *node.add_attribute());
  return node;
}

std::string NodeWriter::Add(const char* op, const std::vector<std::string>& inputs,
                            const std::vector<NodeAttribute>& attributes) {
  onnx::NodeProto& node = AddNode(op, inputs, attributes);
  node.add_output(node.name());
  return node.name();
}

std::pair<std::string, std::string> NodeWriter::AddPair(
    const char* op, const std::vector<std::string>& inputs,
    const std::vector<NodeAttribute>& attributes) {
  onnx::NodeProto& node = AddNode(op, inputs, attributes);
  node.add_output(absl::StrCat(node.name(), ".first"));
  node.add_output(absl::StrCat(node.name(), ".second"));
  return {node.output(0), node.output(1)};
}

template <typename Number>
void NodeWriter::AddInitializer(const std::string& name, std::span<const Number> values,
                                const Integers& dims) {
  onnx::TensorProto& tensor = *graph_.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(std::is_same_v<Number, float> ? onnx::TensorProto::FLOAT
                                                     : onnx::TensorProto::INT64);
  tensor.mutable_dims()->Assign(dims.begin(), dims.end());
  const auto bytes = std::as_bytes(values);
  tensor.mutable_raw_data()->assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  initializer_bytes_ += bytes.size();
}

std::string NodeWriter::AddFloats(const char* name, std::span<const float> values,
                                  const Integers& dims) {
  std::string full_name = absl::StrCat(prefix_, name);
  AddInitializer(full_name, values, dims);
  return full_name;
}

std::string NodeWriter::AddIntegers(const char* name, const Integers& values) {
  std::string full_name = Counted(name);
  AddInitializer(full_name, std::span<const std::int64_t>(values),
                 {static_cast<std::int64_t>(values.size())});
  return full_name;
}

}  // namespace lipserve::exchange
