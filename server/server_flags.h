// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SERVER_FLAGS_H_
#define SERVER_SERVER_FLAGS_H_

#include <optional>

#include "server/operations/log_lines.h"
#include "server/server_options.h"

namespace lipserve {

// The parsed command line.
struct ServerCommand {
  ServerOptions options;
  LogFormat log_format = LogFormat::kText;
  bool check_only = false;       // check flags and models, then exit
  std::optional<int> exit_code;  // set after help, version or an error: exit with it
};

// Parses the command line of lipserve-server. Prints help and version to stdout, errors to stderr.
// The exit code is 0 for help and version, 2 for a wrong command line.
ServerCommand ParseServerFlags(int argc, const char* const* argv);

}  // namespace lipserve

#endif  // SERVER_SERVER_FLAGS_H_
