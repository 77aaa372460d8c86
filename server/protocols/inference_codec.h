// SPDX-License-Identifier: Apache-2.0
// Converts between the messages of the Open Inference Protocol and the network's inputs and
// answers. Wire types are not used beyond this file and inference_description.
#ifndef SERVER_PROTOCOLS_INFERENCE_CODEC_H_
#define SERVER_PROTOCOLS_INFERENCE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "inference/grpc_service.pb.h"
#include "model/certified_model.h"
#include "server/protocols/image_decoding.h"
#include "server/repository/model_catalog.h"
#include "server/repository/served_model.h"

namespace lipserve {

// Finds the model that a request asks for. `version` is a number, a label, or empty for the
// default.
//
// Errors: InvalidArgument and NotFound. If the version is wrong, the error names `version_field`.
absl::StatusOr<ModelCatalog::ModelPtr> FindInferenceModel(const ModelCatalog& catalog,
                                                          const std::string& name,
                                                          const std::string& version,
                                                          absl::string_view version_field);

// Validates `request` against `model`, with its parameters and requested outputs, and decodes its
// images. `images` is overwritten, and reuses its memory from call to call. After an error its
// content is unspecified.
//
// Errors: InvalidArgument naming the field, what was expected and what was found; Unimplemented for
//         tensors in shared memory.
absl::Status DecodeInferRequest(const inference::ModelInferRequest& request,
                                const ServedModel& model, std::size_t max_images,
                                DecodedImages& images);

// Writes the answers to `request` into `response`. Overwrites every field.
//
// Guarantee: that of ToRequestUnit; in a classification, the answer's own class comes first.
// Requires:  `images` is the decoded request; `answers` are the answers of `model` to them.
void EncodeInferResponse(const inference::ModelInferRequest& request, const DecodedImages& images,
                         const ServedModel& model, std::span<const Answer> answers,
                         inference::ModelInferResponse& response);

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_INFERENCE_CODEC_H_
