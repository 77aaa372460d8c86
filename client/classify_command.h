// SPDX-License-Identifier: Apache-2.0
// lipserve-client classify.
#ifndef CLIENT_CLASSIFY_COMMAND_H_
#define CLIENT_CLASSIFY_COMMAND_H_

#include <istream>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "client/classifier_client.h"
#include "client/image_input.h"
#include "client/terminal.h"

namespace lipserve {

// How answers are printed.
enum class OutputForm { kTable, kDrawing, kJson };

// What to classify and how to show it.
struct ClassifyFlags {
  ClassifyOptions query = {};
  ImageInputOptions input = {};
  OutputForm form = OutputForm::kTable;
  std::string certificate_path = {};  // where to record the answers for lipserve-verify, or empty
};

// Gets the model's shape from the server, reads the images and classifies them. Records the answers
// if a path is given, and prints them.
//
// Errors: of the client, of the input readers and of WriteCertificateFile. Nothing is printed
//         before all answers have arrived and are recorded.
absl::Status RunClassify(const ClassifierClient& client, const ClassifyFlags& flags,
                         const TerminalStyle& style, std::istream& in, std::ostream& out);

}  // namespace lipserve

#endif  // CLIENT_CLASSIFY_COMMAND_H_
