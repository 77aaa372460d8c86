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
  ClassifyOptions ask = {};
  ImageInputOptions input = {};
  OutputForm form = OutputForm::kTable;
  std::string certificate_path = {};  // where to record the answers for lipserve-verify, or empty
};

// Asks the server for the model's shape, reads the images, classifies them, records the answers if
// asked to, and prints them.
//
// Errors: of the client, of the input readers and of WriteCertificateFile. Nothing is printed
//         before all answers are there and recorded.
absl::Status RunClassify(const ClassifierClient& client, const ClassifyFlags& flags,
                         const TerminalStyle& style, std::istream& in, std::ostream& out);

}  // namespace lipserve

#endif  // CLIENT_CLASSIFY_COMMAND_H_
