// SPDX-License-Identifier: Apache-2.0
// Converts between the messages of lipserve.v1 and the network's inputs and answers. Wire types are
// not used beyond this file.
#ifndef SERVER_PROTOCOLS_CLASSIFIER_CODEC_H_
#define SERVER_PROTOCOLS_CLASSIFIER_CODEC_H_

#include <cstddef>
#include <span>

#include "absl/status/status.h"
#include "lipserve/v1/classifier.pb.h"
#include "model/certified_model.h"
#include "server/protocols/image_decoding.h"
#include "server/repository/served_model.h"

namespace lipserve {

// Validates `request` against `model` and decodes its images. `images` is overwritten, and reuses
// its memory from call to call. After an error its content is unspecified.
//
// Errors: InvalidArgument naming the field, what was expected and what was found.
absl::Status DecodeClassifyRequest(const v1::ClassifyRequest& request, const ServedModel& model,
                                   std::size_t max_images, DecodedImages& images);

// Writes the answers to `request` into `response`. Overwrites every field.
//
// Guarantee: that of ToRequestUnit.
// Requires:  `images` is the decoded request; `answers` are the answers of `model` to them.
void EncodeClassifyResponse(const v1::ClassifyRequest& request, const DecodedImages& images,
                            const ServedModel& model, std::span<const Answer> answers,
                            v1::ClassifyResponse& response);

// Describes `model` in an empty `response`.
void EncodeModelDescription(const ServedModel& model, std::size_t max_images,
                            v1::DescribeModelResponse& response);

// Writes name, version and digest of `model` into `identity`.
void EncodeModelIdentity(const ServedModel& model, v1::ModelIdentity& identity);

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_CLASSIFIER_CODEC_H_
