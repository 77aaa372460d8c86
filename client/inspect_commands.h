// SPDX-License-Identifier: Apache-2.0
// lipserve-client describe, models and health.
#ifndef CLIENT_INSPECT_COMMANDS_H_
#define CLIENT_INSPECT_COMMANDS_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "client/classifier_client.h"
#include "client/terminal.h"

namespace lipserve {

// Prints what the server knows of one model.
absl::Status RunDescribe(const ClassifierClient& client, const ModelSelector& model, bool json,
                         const TerminalStyle& style, std::ostream& out);

// Prints every served model and version.
absl::Status RunModels(const ClassifierClient& client, bool json, const TerminalStyle& style,
                       std::ostream& out);

// Prints the health of `service`, or of the server if it is empty.
//
// Errors: of the client; Unavailable, after printing, for every status but SERVING.
absl::Status RunHealth(const ClassifierClient& client, const std::string& service, bool json,
                       std::ostream& out);

}  // namespace lipserve

#endif  // CLIENT_INSPECT_COMMANDS_H_
