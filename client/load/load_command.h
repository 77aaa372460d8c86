// SPDX-License-Identifier: Apache-2.0
// lipserve-client load.
#ifndef CLIENT_LOAD_LOAD_COMMAND_H_
#define CLIENT_LOAD_LOAD_COMMAND_H_

#include <cstdint>
#include <istream>
#include <ostream>

#include "absl/status/status.h"
#include "client/classifier_client.h"
#include "client/image_input.h"
#include "client/load/load_generator.h"
#include "client/terminal.h"

namespace lipserve {

struct LoadFlags {
  ClassifyOptions query = {};
  ImageInputOptions input = {};  // without inputs: random pixels
  std::int64_t images_per_call = 1;
  LoadOptions load = {};
  bool json = false;
};

// Gets the model's shape from the server, prepares requests, sends them as `flags.load` says, and
// prints the results: as a table, or as one JSON object.
//
// Errors: of the client and of the input readers; InvalidArgument for options that contradict each
//         other or the model; Unavailable, after printing, if no call was answered.
absl::Status RunLoad(const ClassifierClient& client, LoadFlags flags, const TerminalStyle& style,
                     std::istream& in, std::ostream& out);

}  // namespace lipserve

#endif  // CLIENT_LOAD_LOAD_COMMAND_H_
