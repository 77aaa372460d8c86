// SPDX-License-Identifier: Apache-2.0
// What a server says of its models, for people.
#ifndef CLIENT_MODEL_TEXT_H_
#define CLIENT_MODEL_TEXT_H_

#include <string>

#include "client/terminal.h"
#include "lipserve/v1/classifier.pb.h"

namespace lipserve {

// Shape, classes, layers with their proven bounds, digest, training recipe and results.
//
// Guarantee: a printed Lipschitz bound is never smaller than the proven one.
std::string ModelText(const v1::DescribeModelResponse& model, const TerminalStyle& style);

// One line per served model and version.
std::string ModelListText(const v1::ListModelsResponse& models, const TerminalStyle& style);

}  // namespace lipserve

#endif  // CLIENT_MODEL_TEXT_H_
