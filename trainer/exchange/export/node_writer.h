// SPDX-License-Identifier: Apache-2.0
// Writes the nodes and the initialisers of an ONNX graph, and names them.
#ifndef TRAINER_EXCHANGE_EXPORT_NODE_WRITER_H_
#define TRAINER_EXCHANGE_EXPORT_NODE_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace onnx {
class GraphProto;
class NodeProto;
}  // namespace onnx

namespace lipserve::exchange {

// Integers of an attribute or of a constant input.
using Integers = std::vector<std::int64_t>;

// An attribute of a node: an integer, several, or a text.
using NodeAttribute = std::pair<const char*, std::variant<std::int64_t, Integers, const char*>>;

// Names of one layer start with "layer3.". Nodes are counted: the second one of layer 3, a Relu,
// and its output are both called "layer3.1.Relu".
class NodeWriter {
 public:
  // `graph` must outlive the writer.
  explicit NodeWriter(onnx::GraphProto& graph) : graph_(graph) {}

  // What follows belongs to layer `layer`.
  void BeginLayer(std::size_t layer);

  // Adds a node and returns the name of its output.
  std::string Add(const char* op, const std::vector<std::string>& inputs,
                  const std::vector<NodeAttribute>& attributes = {});
  // The same for a node with two outputs.
  std::pair<std::string, std::string> AddPair(const char* op,
                                              const std::vector<std::string>& inputs,
                                              const std::vector<NodeAttribute>& attributes);

  // Adds an initialiser and returns its name, "layer3.weights" for `name` "weights". float32
  // numbers are stored bit for bit. Dims {}: a scalar.
  std::string AddFloats(const char* name, std::span<const float> values, const Integers& dims);
  // A vector of int64. The name is counted as nodes are.
  std::string AddIntegers(const char* name, const Integers& values);

  // Bytes of all initialisers.
  std::size_t initializer_bytes() const { return initializer_bytes_; }

 private:
  std::string Counted(const char* name);
  onnx::NodeProto& AddNode(const char* op, const std::vector<std::string>& inputs,
                           const std::vector<NodeAttribute>& attributes);
  template <typename Number>
  void AddInitializer(const std::string& name, std::span<const Number> values,
                      const Integers& dims);

  onnx::GraphProto& graph_;
  std::string prefix_;
  std::size_t count_ = 0;
  std::size_t initializer_bytes_ = 0;
};

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_EXPORT_NODE_WRITER_H_
