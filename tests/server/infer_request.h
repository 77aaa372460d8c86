// SPDX-License-Identifier: Apache-2.0
// Requests of the Open Inference Protocol for the small model, and readers of their answers.
#ifndef TESTS_SERVER_INFER_REQUEST_H_
#define TESTS_SERVER_INFER_REQUEST_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "inference/grpc_service.pb.h"
#include "tests/server/small_model.h"

namespace lipserve {

// Without elements.
inline inference::ModelInferRequest EmptyInferRequest(const std::string& model,
                                                      const std::string& datatype,
                                                      std::size_t images) {
  inference::ModelInferRequest request;
  request.set_model_name(model);
  auto& input = *request.add_inputs();
  input.set_name("images");
  input.set_datatype(datatype);
  input.add_shape(static_cast<std::int64_t>(images));
  input.add_shape(kSmallInputSize);
  return request;
}

inline std::string RawBytes(const std::vector<float>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float)};
}

inline inference::ModelInferRequest RawInferRequest(const std::string& model,
                                                    const std::vector<float>& inputs) {
  auto request = EmptyInferRequest(model, "FP32", inputs.size() / kSmallInputSize);
  request.add_raw_input_contents(RawBytes(inputs));
  return request;
}

inline inference::ModelInferRequest RawInferRequest(const std::string& model,
                                                    const std::string& pixels) {
  auto request = EmptyInferRequest(model, "UINT8", pixels.size() / kSmallInputSize);
  request.add_raw_input_contents(pixels);
  return request;
}

// The index of an output, or -1.
inline int OutputIndex(const inference::ModelInferResponse& response, const std::string& name) {
  for (int i = 0; i < response.outputs_size(); ++i) {
    if (response.outputs(i).name() == name) return i;
  }
  return -1;
}

// The elements of an output; none if it is not there.
template <typename Value>
std::vector<Value> OutputValues(const inference::ModelInferResponse& response,
                                const std::string& name) {
  const int index = OutputIndex(response, name);
  if (index < 0) return {};
  const std::string& raw = response.raw_output_contents(index);
  std::vector<Value> values(raw.size() / sizeof(Value));
  std::memcpy(values.data(), raw.data(), values.size() * sizeof(Value));
  return values;
}

// The elements of an output of type BYTES.
inline std::vector<std::string> OutputTexts(const inference::ModelInferResponse& response,
                                            const std::string& name) {
  const std::string& raw = response.raw_output_contents(OutputIndex(response, name));
  std::vector<std::string> texts;
  for (std::size_t at = 0; at + sizeof(std::uint32_t) <= raw.size();) {
    std::uint32_t size = 0;
    std::memcpy(&size, raw.data() + at, sizeof(size));
    texts.push_back(raw.substr(at + sizeof(size), size));
    at += sizeof(size) + size;
  }
  return texts;
}

}  // namespace lipserve

#endif  // TESTS_SERVER_INFER_REQUEST_H_
