// SPDX-License-Identifier: Apache-2.0
// Trusted: says which function on real numbers a model.lip is. No floating point, no protobuf.
//
// Format: proto/lipserve/v1/sealed_file.proto, model_file.proto.
#ifndef CLIENT_VERIFY_MODEL_FILE_H_
#define CLIENT_VERIFY_MODEL_FILE_H_

#include <array>
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "client/verify/exact_number.h"
#include "client/verify/pixel_table.h"

namespace lipserve::verify {

// Views [C, H, W] as a vector; moves nothing.
struct Flatten {};

// y = W x + b.
struct Dense {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  ExactVector weights;  // [outputs, inputs]
  ExactVector bias;     // [outputs], or empty for none
  Dyadic claimed_norm;  // what the file claims to be at least ||W||_2
};

// Sorts each group of neighbours in ascending order; 1-Lipschitz.
struct GroupSort {
  std::size_t group_size = 0;
};

using Layer = std::variant<Flatten, Dense, GroupSort>;

// A model file. The last layer is dense and the sizes of all layers fit together.
struct Model {
  std::string name;
  std::array<std::size_t, 3> input_shape = {};  // [C, H, W]
  PixelTable pixels;
  std::vector<Layer> layers = {};
  std::vector<std::string> class_labels = {};  // one per class
  std::string digest = {};                     // SHA-256 of the content, lower-case hexadecimal

  std::size_t input_size() const { return input_shape[0] * input_shape[1] * input_shape[2]; }
  const Dense& last() const { return std::get<Dense>(layers.back()); }
};

// One line for people: "dense 784 -> 32".
std::string Describe(const Layer& layer);

// SHA-256 in lower-case hexadecimal (OpenSSL).
std::string Sha256Hex(const std::string& bytes);

// The model in the bytes of a model file. Nothing is allocated that the bytes do not pay for.
//
// Errors: InvalidArgument or DataLoss, naming the place, expected and got.
absl::StatusOr<Model> ParseModel(const std::string& file);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_MODEL_FILE_H_
