// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_PROTOCOLS_INFERENCE_PARAMETERS_H_
#define SERVER_PROTOCOLS_INFERENCE_PARAMETERS_H_

#include <google/protobuf/map.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/grpc_service.pb.h"
#include "server/protocols/image_decoding.h"
#include "server/repository/served_model.h"

namespace lipserve {

using InferParameters = google::protobuf::Map<std::string, inference::InferParameter>;

// Validates the parameters of a request, and sets epsilon, precision, timeout and priority of
// `images`.
//
// Errors: InvalidArgument naming the parameter, what was expected and what was found. Unknown
//         parameters are refused too: with a mistyped "epsilon", the server would answer another
//         question.
absl::Status DecodeInferParameters(const InferParameters& parameters, const ServedModel& model,
                                   DecodedImages& images);

// Refuses every parameter of an input tensor: Unimplemented for shared memory, else
// InvalidArgument.
absl::Status CheckTensorParameters(absl::string_view field, const InferParameters& parameters);

// The parameter "classification" of a requested output: how many classes; 0 without it.
//
// Errors: as above.
absl::StatusOr<std::size_t> DecodeClassification(absl::string_view field,
                                                 const InferParameters& parameters);

// Whether a stream's request asks for a mark on its final response (an extension of Triton).
bool WantsFinalResponseMark(const InferParameters& parameters);

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_INFERENCE_PARAMETERS_H_
