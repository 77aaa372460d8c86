// SPDX-License-Identifier: Apache-2.0
// Arrays of an ONNX file, in the file or beside it.
#ifndef TRAINER_EXCHANGE_GRAPH_READ_TENSOR_H_
#define TRAINER_EXCHANGE_GRAPH_READ_TENSOR_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/exchange/operators/node.h"

namespace onnx {
class TensorProto;
}  // namespace onnx

namespace lipserve::exchange {

// Counts the bytes of arrays against a limit before they are taken.
class ArrayBudget {
 public:
  explicit ArrayBudget(std::size_t limit) : left_(limit), limit_(limit) {}

  // Errors: ResourceExhausted, saying for what.
  absl::Status Take(std::size_t elements, std::size_t bytes_each, const std::string& what);
  // `bytes` of a file of `size` bytes are read too. Each byte of a file allows four of arrays,
  // once, however many arrays share it.
  void AddFile(const std::string& path, std::size_t size, std::size_t bytes);

 private:
  std::size_t left_;
  std::size_t limit_;
  std::map<std::string, std::size_t> unread_;  // bytes of each file that allow nothing yet
};

// The array of a tensor, narrow numbers widened, subnormal ones taken as 0. Empties the tensor.
//
// `folder`: where external data may lie. `what`: for messages. `notes`: what was changed.
// Errors: InvalidArgument for another number of elements than the shape says, numbers that are not
//         finite, types that are no numbers, and data outside of the folder. ResourceExhausted.
absl::StatusOr<Tensor> ReadTensor(onnx::TensorProto& proto, const std::string& folder,
                                  const std::string& what, ArrayBudget& budget,
                                  std::vector<std::string>& notes);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_GRAPH_READ_TENSOR_H_
