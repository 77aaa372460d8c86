// SPDX-License-Identifier: Apache-2.0
// Trusted: says which function on real numbers a model.lip is. No floating point, no protobuf.
//
// Format: proto/lipserve/v1/sealed_file.proto, model_file.proto.
#ifndef CLIENT_VERIFY_MODEL_MODEL_FILE_H_
#define CLIENT_VERIFY_MODEL_MODEL_FILE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "client/verify/model/layer.h"
#include "client/verify/model/pixel_table.h"

namespace lipserve::verify {

// A model file. Its values are numbered: 0 is the input, k the output of layer k - 1. The last
// layer is dense and the shapes of all layers fit together. Each of its rows scores a class, or one
// of several prototypes of a class, whose score is then the largest of theirs.
struct Model {
  std::string name;
  Shape input_shape = {};
  std::optional<PixelTable> pixels;  // none: the model refuses pixels
  std::vector<Layer> layers = {};
  std::vector<std::size_t> inputs = {};  // the value that each layer reads: an earlier one
  std::size_t prototypes_per_class = 1;  // K: the rows c K, ..., c K + K - 1 are those of class c
  std::vector<std::string> class_labels = {};  // one per class
  std::string file_digest = {};                // of the whole file, as sha256sum prints it
  std::string digest = {};                     // SHA-256 of the content, lower-case hexadecimal

  // The shapes of all values.
  std::vector<Shape> ValueShapes() const;
  std::size_t input_size() const { return SizeOf(input_shape); }
  const Dense& last() const { return std::get<Dense>(layers.back()); }
  std::size_t ClassOf(std::size_t row) const { return row / prototypes_per_class; }
};

// SHA-256 in lower-case hexadecimal (OpenSSL).
std::string Sha256Hex(const std::string& bytes);

// The model in the bytes of a model file. Memory use is in proportion to the bytes read.
//
// Errors: InvalidArgument or DataLoss, naming the place, expected and got.
absl::StatusOr<Model> ParseModel(const std::string& file);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_MODEL_MODEL_FILE_H_
