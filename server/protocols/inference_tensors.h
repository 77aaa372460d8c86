// SPDX-License-Identifier: Apache-2.0
// The input and output tensors of every served model, in the Open Inference Protocol.
#ifndef SERVER_PROTOCOLS_INFERENCE_TENSORS_H_
#define SERVER_PROTOCOLS_INFERENCE_TENSORS_H_

#include <array>
#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "inference/model_config.pb.h"

namespace lipserve {

// The one input.
inline constexpr char kImagesTensor[] = "images";

// The outputs, in the order in which they are listed and answered.
enum class OutputTensor { kScores, kClass, kRadius, kMargin, kCertified };

struct OutputTensorType {
  OutputTensor tensor;
  const char* name;
  const char* datatype;  // in requests and metadata
  inference::DataType config_type;
};

inline constexpr std::array<OutputTensorType, 5> kOutputTensors = {{
    {OutputTensor::kScores, "scores", "FP32", inference::TYPE_FP32},
    {OutputTensor::kClass, "class", "INT32", inference::TYPE_INT32},
    {OutputTensor::kRadius, "radius", "FP64", inference::TYPE_FP64},
    {OutputTensor::kMargin, "margin", "FP64", inference::TYPE_FP64},
    {OutputTensor::kCertified, "certified", "BOOL", inference::TYPE_BOOL},
}};

// Null if there is no output of that name.
inline const OutputTensorType* FindOutputTensor(absl::string_view name) {
  for (const OutputTensorType& output : kOutputTensors) {
    if (name == output.name) return &output;
  }
  return nullptr;
}

// The second dimension of an output. `scores` is the number of scores of the model.
inline std::size_t OutputWidth(OutputTensor tensor, std::size_t scores) {
  return tensor == OutputTensor::kScores ? scores : 1;
}

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_INFERENCE_TENSORS_H_
