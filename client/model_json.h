// SPDX-License-Identifier: Apache-2.0
// What a server says of its models, as JSON for programs.
#ifndef CLIENT_MODEL_JSON_H_
#define CLIENT_MODEL_JSON_H_

#include <string>

#include "lipserve/v1/classifier.pb.h"

namespace lipserve {

// One model as a JSON object on one line, without the newline: model, model_version,
// digest_sha256, input_shape, class_labels, layers (description, lipschitz_bound), lipschitz_bound,
// max_images_per_call, and from the file: trainer_version, results (name: value), recipe (in
// protobuf's JSON form).
//
// Guarantee: a printed Lipschitz bound is never smaller than the proven one.
std::string ModelJson(const v1::DescribeModelResponse& model);

// One served model as a JSON object on one line: model, model_version, digest_sha256.
std::string IdentityJson(const v1::ModelIdentity& model);

// The health of a server as a JSON object on one line: address, service, status.
std::string HealthJson(const std::string& address, const std::string& service,
                       const std::string& status);

}  // namespace lipserve

#endif  // CLIENT_MODEL_JSON_H_
