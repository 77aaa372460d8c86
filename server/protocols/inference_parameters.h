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
// Ignores what clients add to say how they packed the message: binary_data_size,
// binary_data_output, headers, and content_type "np" or "pd" (elements as they are). Also ignores
// sequence parameters that say that there is no sequence.
//
// Errors: InvalidArgument naming the parameter, what was expected and what was found. Other
//         parameters are refused too: with a mistyped "epsilon", the server would answer another
//         question.
absl::Status DecodeInferParameters(const InferParameters& parameters, const ServedModel& model,
                                   DecodedImages& images);

// Checks the parameters of an input tensor. Ignores those that cannot change an answer, known or
// not: KServe's client sends binary_data_size, MLServer's codecs send content_type.
//
// Errors: Unimplemented for shared memory, where the elements would be elsewhere. InvalidArgument
//         for parameters of a request or of an output, also mistyped ones, and for a content_type
//         by which the bytes would not be the elements.
absl::Status CheckInputParameters(absl::string_view field, const InferParameters& parameters);

// The parameter "classification" of a requested output: how many classes; 0 without it. Ignores
// parameters that cannot change an answer, as CheckInputParameters.
//
// Errors: as CheckInputParameters, and InvalidArgument for a wrong number of classes.
absl::StatusOr<std::size_t> DecodeClassification(absl::string_view field,
                                                 const InferParameters& parameters);

// Whether a stream's request asks for a mark on its final response (an extension of Triton).
bool WantsFinalResponseMark(const InferParameters& parameters);

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_INFERENCE_PARAMETERS_H_
