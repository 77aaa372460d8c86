// SPDX-License-Identifier: Apache-2.0
// Reading ONNX files: real ones of six libraries, damaged ones, and hostile ones.
#include "trainer/exchange/graph/read_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/temporary_folder.h"
#include "trainer/exchange/evaluation/evaluate.h"
#include "trainer/exchange/operators/operator_call.h"

namespace lipserve::exchange {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string Good(const std::string& name) {
  return std::string(ONNX_CASES) + "/good/" + name + ".onnx";
}
std::string Bad(const std::string& name) {
  return std::string(ONNX_CASES) + "/bad/" + name + ".onnx";
}

std::string ErrorOf(const std::string& path, const ReadOptions& options = {}) {
  const auto graph = ReadGraph(path, options);
  return graph.ok() ? "" : std::string(graph.status().message());
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteAll(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(ReadGraphTest, EveryGoodFileIsReadWithTheBatchFirstAndNoConstantNode) {
  const std::map<std::string, Dims> inputs = {{"deellip_mlp", {-1, 28, 28, 1}},
                                              {"keras_cnn", {-1, 28, 28, 1}},
                                              {"liresnet_dyn", {-1, 1, 28, 28}},
                                              {"orthogonium_aoc_dyn", {-1, 1, 28, 28}},
                                              {"plain_cnn_bn_ts", {-1, 1, 28, 28}},
                                              {"plain_default_external", {-1, 1, 28, 28}},
                                              {"plain_mlp_norm_softmax_dyn", {-1, 1, 28, 28}},
                                              {"plain_resnet_dyn", {-1, 1, 28, 28}},
                                              {"skl_logreg", {-1, 784}},
                                              {"torchlip_conv_dyn", {-1, 1, 28, 28}},
                                              {"torchlip_mlp10_ts", {-1, 1, 28, 28}},
                                              {"torchlip_mnist08_dyn", {-1, 1, 28, 28}}};
  for (const auto& [name, dims] : inputs) {
    SCOPED_TRACE(name);
    const auto graph = ReadGraph(Good(name), {});
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ(graph->values[graph->input].dims, dims);
    EXPECT_TRUE(graph->notes.empty());
    std::vector<bool> is_made(graph->values.size());
    is_made[graph->input] = true;
    for (std::size_t v = 0; v < graph->values.size(); ++v) {
      if (graph->values[v].is_constant) is_made[v] = true;
    }
    for (const Node& node : graph->nodes) {
      bool has_variable = false;
      for (const ValueId input : node.inputs) {
        if (input == kNoValue) continue;
        EXPECT_TRUE(is_made[input]) << node.name;
        has_variable = has_variable || !graph->values[input].is_constant;
      }
      EXPECT_TRUE(has_variable) << node.name;
      for (const ValueId output : node.outputs) {
        if (output != kNoValue) is_made[output] = true;
      }
    }
  }
}

// A batch that the file fixes to 16 is any batch.
TEST(ReadGraphTest, AFixedBatchBecomesAnyBatch) {
  const auto graph = ReadGraph(Good("plain_default_external"), {});
  ASSERT_TRUE(graph.ok()) << graph.status();
  for (const std::int64_t batch : {1, 3}) {
    const Tensor images = {ElementType::kFloat32,
                           {batch, 1, 28, 28},
                           std::vector<float>(static_cast<std::size_t>(batch) * 784, 0.25F)};
    const auto outputs = Evaluate(*graph, images);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_EQ((*outputs)[0].dims, (Dims{batch, 10}));
  }
}

TEST(ReadGraphTest, EveryBadFileIsRefusedInOneLineThatSaysWhereAndWhatToDo) {
  const std::map<std::string, std::vector<std::string>> words = {
      {"batchnorm_negative_variance", {"(BatchNormalization)", "expected variances", "got -1"}},
      {"constant_fold_bomb", {"folding constants", "bytes for all arrays"}},
      {"contrib_domain_op", {"(Gelu)", "com.microsoft", "standard operators"}},
      {"conv_group_3", {"(Conv)", "got group 3"}},
      {"conv_negative_pads", {"(Conv)", "expected pads from 0 on", "-1"}},
      {"conv_stride_0", {"(Conv)", "expected strides from 1 on"}},
      {"dropout_training_true", {"(Dropout)", "training_mode", "evaluation mode"}},
      {"dynamic_spatial", {"input \"x\"", "--input-shape"}},
      {"external_absolute", {"initializer \"W1\"", "/etc/passwd", "model's folder"}},
      {"external_traversal", {"initializer \"W1\"", "../", "model's folder"}},
      {"gemm_alpha_nan", {"(Gemm)", "finite alpha", "nan"}},
      {"inf_bias", {"initializer \"b1\"", "got inf at index"}},
      {"int8_dequantize_weights", {"(DequantizeLinear)", "rounds activations", "float32"}},
      {"lfs_pointer", {"Git LFS pointer", "git lfs pull"}},
      {"missing_initializer", {"(Gemm)", "got \"W1\""}},
      {"negative_dims", {"initializer \"W1\"", "got dimension -"}},
      {"nested_graphs_3000", {"nested too deep"}},
      {"no_outputs", {"expected an output, got none"}},
      {"opset_1", {"opset: expected 7 to 22, got 1"}},
      {"random_op", {"(RandomNormalLike)", "it is random"}},
      {"raw_data_short", {"initializer \"W1\"", "bytes for", "damaged"}},
      {"reshape_mismatch", {"(Reshape)", "784", "783"}},
      {"two_inputs", {"expected one input, got \"x\" and \"x2\""}},
      {"unknown_op", {"(FancyRelu)", "does not know"}}};
  for (const auto& [name, expected] : words) {
    const std::string error = ErrorOf(Bad(name));
    EXPECT_THAT(error, HasSubstr(name + ".onnx: "));
    EXPECT_EQ(error.find('\n'), std::string::npos);
    for (const std::string& word : expected) EXPECT_THAT(error, HasSubstr(word)) << name;
  }
}

TEST(ReadGraphTest, FilesThatAreOnlyUnusualAreTaken) {
  const auto chain = ReadGraph(Bad("identity_chain_20000"), {});
  ASSERT_TRUE(chain.ok()) << chain.status();
  EXPECT_LT(chain->nodes.size(), 10U);
  const auto half = ReadGraph(Bad("float16"), {});
  EXPECT_TRUE(half.ok()) << half.status();
  const auto tiny = ReadGraph(Bad("subnormal_weight"), {});
  ASSERT_TRUE(tiny.ok()) << tiny.status();
  EXPECT_THAT(tiny->notes, testing::ElementsAre(HasSubstr("4 subnormal numbers became 0")));
  EXPECT_TRUE(ReadGraph(Bad("argmax_output"), {}).ok());
  EXPECT_TRUE(ReadGraph(Bad("overflowing_weights"), {}).ok());
}

TEST(ReadGraphTest, AnInputShapeMustFitTheFile) {
  const auto with_shape = [](const Dims& shape) {
    return ErrorOf(Bad("dynamic_spatial"), {.input_shape = shape});
  };
  EXPECT_THAT(with_shape({1}), HasSubstr("--input-shape that fits"));
  EXPECT_THAT(with_shape({1, -1, 28}), HasSubstr("--input-shape that fits"));
  EXPECT_EQ(ErrorOf(Good("keras_cnn"), {.input_shape = Dims{28, 28, 1}}), "");
  EXPECT_THAT(ErrorOf(Good("keras_cnn"), {.input_shape = Dims{1, 28, 28}}),
              HasSubstr("that fits [28, 28, 1]"));
}

TEST(ReadGraphTest, ALinkOutOfTheFolderIsNotFollowed) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path("model"));
  fs::copy(Good("plain_default_external"), folder.path("model/m.onnx"));
  const std::string data = "plain_default_external.onnx.data";
  EXPECT_THAT(ErrorOf(folder.path("model/m.onnx")), HasSubstr("beside the model, got none"));
  fs::copy(std::string(ONNX_CASES) + "/good/" + data, folder.path(data));
  fs::create_symlink(folder.path(data), folder.path("model/" + data));
  EXPECT_THAT(ErrorOf(folder.path("model/m.onnx")), HasSubstr("in the model's folder"));
  fs::remove(folder.path("model/" + data));
  fs::copy(folder.path(data), folder.path("model/" + data));
  EXPECT_EQ(ErrorOf(folder.path("model/m.onnx")), "");
  fs::resize_file(folder.path("model/" + data), 1000);
  EXPECT_THAT(ErrorOf(folder.path("model/m.onnx")), HasSubstr("is damaged"));
}

TEST(ReadGraphTest, AMissingOrEmptyFileIsSaid) {
  EXPECT_EQ(ReadGraph("/no/such/model.onnx", {}).status().code(), absl::StatusCode::kNotFound);
  const TemporaryFolder folder;
  WriteAll(folder.path("empty.onnx"), "");
  EXPECT_THAT(ErrorOf(folder.path("empty.onnx")), HasSubstr("expected an ONNX model"));
}

// Whatever a damaged file becomes: it is refused, or it is another graph. Nothing crashes.
TEST(ReadGraphTest, DamagedBytesAreRefusedOrRead) {
  const TemporaryFolder folder;
  const std::string path = folder.path("damaged.onnx");
  std::mt19937_64 random(1);
  int refused = 0;
  for (const char* name : {"torchlip_conv_dyn", "skl_logreg", "torchlip_mlp10_ts"}) {
    const std::string bytes = ReadAll(Good(name));
    for (int trial = 0; trial < 150; ++trial) {
      std::string damaged = bytes;
      for (std::uint64_t times = 1 + random() % 3; times > 0; --times) {
        // Half of them at the beginning, where the nodes are.
        const std::size_t end = random() % 2 == 0 ? damaged.size() : 3000;
        damaged[random() % end] = static_cast<char>(random());
      }
      if (trial % 10 == 0) damaged.resize(random() % damaged.size());
      WriteAll(path, damaged);
      const auto graph = ReadGraph(path, {});
      if (!graph.ok()) {
        ++refused;
        continue;
      }
      const Dims& dims = graph->values[graph->input].dims;
      if (dims.size() > 1 && NumElements(Dims(dims.begin() + 1, dims.end())) > 100000) continue;
      Tensor image = {ElementType::kFloat32, dims, {}};
      image.dims[0] = 1;
      image.values = std::vector<float>(NumElements(image.dims));
      static_cast<void>(Evaluate(*graph, image));
    }
  }
  EXPECT_GT(refused, 100);
}

// Folding needs 2^50 numbers, and is refused before memory is taken for them.
TEST(ReadGraphTest, ABombTakesNoMemory) {
  struct rusage before = {};
  struct rusage after = {};
  getrusage(RUSAGE_SELF, &before);
  EXPECT_NE(ErrorOf(Bad("constant_fold_bomb")), "");
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 200 * 1024);  // KiB
}

// A model y = Relu(x), beside which tests put what else they need.
onnx::ModelProto ReluModel() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  auto* const input = model.mutable_graph()->add_input();
  input->set_name("x");
  auto* const type = input->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  type->mutable_shape()->add_dim()->set_dim_param("N");
  type->mutable_shape()->add_dim()->set_dim_value(4);
  onnx::NodeProto* const relu = model.mutable_graph()->add_node();
  relu->set_op_type("Relu");
  relu->add_input("x");
  relu->add_output("y");
  model.mutable_graph()->add_output()->set_name("y");
  return model;
}

// Arrays that share the bytes of one file are each counted, and the file once.
TEST(ReadGraphTest, ManyArraysOfOneFileTakeNoMoreMemoryThanItAllows) {
  constexpr std::int64_t kElements = std::int64_t{1} << 20;
  onnx::ModelProto model = ReluModel();
  const TemporaryFolder folder;
  WriteAll(folder.path("w.data"), std::string(kElements * 4, '\0'));
  // Each takes 8 MiB, bytes and array; all may take 64 MiB and four times the file.
  const auto error_of = [&](int arrays) {
    model.mutable_graph()->clear_initializer();
    for (int i = 0; i < arrays; ++i) {
      onnx::TensorProto* const weight = model.mutable_graph()->add_initializer();
      weight->set_name("w" + std::to_string(i));
      weight->set_data_type(onnx::TensorProto::FLOAT);
      weight->add_dims(kElements);
      weight->set_data_location(onnx::TensorProto::EXTERNAL);
      auto* const location = weight->add_external_data();
      location->set_key("location");
      location->set_value("w.data");
    }
    WriteAll(folder.path("m.onnx"), model.SerializeAsString());
    return ErrorOf(folder.path("m.onnx"));
  };
  EXPECT_EQ(error_of(10), "");
  EXPECT_THAT(error_of(11), HasSubstr("bytes for all arrays of this file"));
}

// Half a megabyte that would be folded for minutes.
TEST(ReadGraphTest, AFoldThatTakesLongIsRefusedBeforeItBegins) {
  constexpr std::int64_t kSide = 400;
  onnx::ModelProto model = ReluModel();
  onnx::TensorProto* const image = model.mutable_graph()->add_initializer();
  image->set_name("a");
  image->set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t dim : {std::int64_t{1}, std::int64_t{1}, kSide, kSide}) {
    image->add_dims(dim);
  }
  image->set_raw_data(std::string(kSide * kSide * 4, '\0'));
  onnx::NodeProto* const fold = model.mutable_graph()->add_node();
  fold->set_op_type("Conv");
  fold->add_input("a");
  fold->add_input("a");
  fold->add_output("c");
  onnx::AttributeProto* const pads = fold->add_attribute();
  pads->set_name("pads");
  pads->set_type(onnx::AttributeProto::INTS);
  for (int side = 0; side < 4; ++side) pads->add_ints(kSide - 1);
  const TemporaryFolder folder;
  WriteAll(folder.path("m.onnx"), model.SerializeAsString());
  EXPECT_THAT(ErrorOf(folder.path("m.onnx")),
              HasSubstr("node 1 (Conv): folding constants: expected to read at most"));
}

}  // namespace
}  // namespace lipserve::exchange
