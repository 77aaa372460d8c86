// SPDX-License-Identifier: Apache-2.0
// The ONNX standard's own tests of single operators (Debian's libonnx-testdata), for every operator
// that we take.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "trainer/exchange/graph/read_tensor.h"
#include "trainer/exchange/operators/operator.h"

namespace lipserve::exchange {
namespace {

namespace fs = std::filesystem;

constexpr const char kFolder[] = "/usr/share/libonnx-testdata/data/node";

// Cases of operators that we take in part: they are refused, with one of these words.
const std::map<std::string, std::string>& Refused() {
  static const auto& cases = *new std::map<std::string, std::string>{
      {"test_averagepool_3d_default", "3 or 4 axes"},
      {"test_batchnorm_epsilon_training_mode", "training_mode"},
      {"test_batchnorm_example_training_mode", "training_mode"},
      {"test_cast_DOUBLE_to_FLOAT16", "expected a cast"},
      {"test_cast_FLOAT_to_FLOAT16", "expected a cast"},
      {"test_castlike_DOUBLE_to_FLOAT16_expanded", "expected a cast"},
      {"test_castlike_FLOAT_to_FLOAT16_expanded", "expected a cast"},
      {"test_convtranspose_3d", "3 or 4 axes"},
      {"test_convtranspose_autopad_same", "explicit pads"},
      {"test_convtranspose_kernel_shape", "explicit pads"},
      {"test_convtranspose_output_shape", "explicit pads"},
      {"test_convtranspose_with_kernel", "explicit pads"},
      {"test_maxpool_2d_uint8", "expected numbers"},
      {"test_maxpool_3d_default", "3 or 4 axes"},
      {"test_maxpool_with_argmax_2d_precomputed_pads", "outputs"},
      {"test_maxpool_with_argmax_2d_precomputed_strides", "storage_order"},
      {"test_pow_types_float", "integers"},
      {"test_pow_types_int32_float32", "integers"},
      {"test_pow_types_int32_int32", "integers"},
      {"test_pow_types_int64_float32", "integers"},
      {"test_pow_types_int64_int64", "integers"},
      {"test_training_dropout", "training_mode"},
      {"test_training_dropout_default", "training_mode"},
      {"test_training_dropout_default_mask", "training_mode"},
      {"test_training_dropout_mask", "training_mode"},
      {"test_training_dropout_zero_ratio", "training_mode"},
      {"test_training_dropout_zero_ratio_mask", "training_mode"},
  };
  return cases;
}

template <typename Message>
std::optional<Message> Load(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  Message message;
  if (!file || !message.ParseFromIstream(&file)) return std::nullopt;
  return message;
}

// Tensors of numbers that we take; of others, nothing.
std::optional<Tensor> LoadTensor(const fs::path& path) {
  std::optional<onnx::TensorProto> proto = Load<onnx::TensorProto>(path);
  if (!proto) return std::nullopt;
  ArrayBudget budget(std::size_t{1} << 28);
  std::vector<std::string> notes;
  auto tensor = ReadTensor(*proto, "", path.string(), budget, notes);
  if (!tensor.ok()) return std::nullopt;
  return *std::move(tensor);
}

std::optional<Attribute> AttributeOf(onnx::AttributeProto attribute) {
  switch (attribute.type()) {
    case onnx::AttributeProto::INT:
      return attribute.i();
    case onnx::AttributeProto::FLOAT:
      return attribute.f();
    case onnx::AttributeProto::STRING:
      return attribute.s();
    case onnx::AttributeProto::INTS:
      return Dims(attribute.ints().begin(), attribute.ints().end());
    case onnx::AttributeProto::FLOATS:
      return std::vector<float>(attribute.floats().begin(), attribute.floats().end());
    case onnx::AttributeProto::TENSOR: {
      ArrayBudget budget(std::size_t{1} << 28);
      std::vector<std::string> notes;
      auto tensor = ReadTensor(*attribute.mutable_t(), "", "attribute", budget, notes);
      if (!tensor.ok()) return std::nullopt;
      return *std::move(tensor);
    }
    default:
      return std::nullopt;
  }
}

struct StandardCase {
  Node node;
  std::vector<std::optional<Tensor>> inputs;
  std::vector<Tensor> outputs;
};

// The case in `folder`, if it is of one operator that we take, on numbers that we take.
std::optional<StandardCase> LoadCase(const fs::path& folder) {
  const std::optional<onnx::ModelProto> model = Load<onnx::ModelProto>(folder / "model.onnx");
  if (!model || model->graph().node_size() != 1) return std::nullopt;
  const onnx::NodeProto& proto = model->graph().node(0);
  const std::string domain = proto.domain().empty() ? "" : proto.domain() + ".";
  StandardCase result;
  result.node.op = domain + proto.op_type();
  if (!IsKnownOperator(result.node.op)) return std::nullopt;
  result.node.name = folder.filename().string();
  for (const auto& opset : model->opset_import()) {
    if (opset.domain() == proto.domain()) result.node.opset = opset.version();
  }
  for (const auto& attribute : proto.attribute()) {
    const auto value = AttributeOf(attribute);
    if (!value) return std::nullopt;
    result.node.attributes.emplace(attribute.name(), *value);
  }
  int next = 0;
  for (const std::string& name : proto.input()) {
    if (name.empty()) {
      result.inputs.emplace_back();
      continue;
    }
    result.inputs.push_back(
        LoadTensor(folder / "test_data_set_0" / ("input_" + std::to_string(next++) + ".pb")));
    if (!result.inputs.back()) return std::nullopt;
  }
  for (int i = 0; i < model->graph().output_size(); ++i) {
    auto output = LoadTensor(folder / "test_data_set_0" / ("output_" + std::to_string(i) + ".pb"));
    if (!output) return std::nullopt;
    result.outputs.push_back(*std::move(output));
    result.node.outputs.push_back(static_cast<ValueId>(i));
  }
  return result;
}

std::vector<double> NumbersOf(const Tensor& tensor) {
  return std::visit(
      [](const auto& values) { return std::vector<double>(values.begin(), values.end()); },
      tensor.values);
}

void Check(const StandardCase& test) {
  std::vector<const Tensor*> inputs;
  for (const auto& input : test.inputs) inputs.push_back(input ? &*input : nullptr);
  const auto outputs = EvaluateNode(test.node, inputs);
  if (const auto refused = Refused().find(test.node.name); refused != Refused().end()) {
    ASSERT_THAT(std::string(outputs.status().message()), testing::HasSubstr(refused->second));
    return;
  }
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_GE(outputs->size(), test.outputs.size());
  for (std::size_t i = 0; i < test.outputs.size(); ++i) {
    ASSERT_EQ((*outputs)[i].dims, test.outputs[i].dims);
    const std::vector<double> got = NumbersOf((*outputs)[i]);
    const std::vector<double> expected = NumbersOf(test.outputs[i]);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t k = 0; k < got.size(); ++k) {
      // The standard's files are float32, made by NumPy.
      ASSERT_NEAR(got[k], expected[k], 1e-4 + 1e-3 * std::fabs(expected[k])) << "number " << k;
    }
  }
}

TEST(StandardNodeTest, EveryOperatorThatWeTakeDoesWhatTheStandardSays) {
  std::set<std::string> operators;
  int checked = 0;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    const auto test = LoadCase(entry.path());
    if (!test) continue;
    SCOPED_TRACE(test->node.name);
    Check(*test);
    operators.insert(test->node.op);
    ++checked;
  }
  EXPECT_GE(checked, 400);
  EXPECT_GE(operators.size(), 70U);
}

// A window that lies in the padding has no largest number and no mean.
TEST(PoolingTest, RefusesWindowsThatLieInThePadding) {
  const Tensor image = {ElementType::kFloat32, {1, 1, 3, 3}, std::vector<float>(9, 1.0F)};
  for (const char* op : {"MaxPool", "AveragePool"}) {
    const Node node{.op = op,
                    .name = "pool",
                    .opset = 17,
                    .inputs = {0},
                    .outputs = {1},
                    .attributes = {{"kernel_shape", Dims{1, 2}}, {"pads", Dims{1, 0, 0, 0}}}};
    const std::vector<const Tensor*> inputs = {&image};
    EXPECT_THAT(std::string(EvaluateNode(node, inputs).status().message()),
                testing::HasSubstr("expected pads below the window's 1 positions, got 1 and 0"));
  }
}

}  // namespace
}  // namespace lipserve::exchange
