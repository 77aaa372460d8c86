// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SERVER_FLAGS_H_
#define SERVER_SERVER_FLAGS_H_

#include <optional>

#include "server/operations/log_lines.h"
#include "server/server_options.h"

namespace lipserve {

// What the command line asks for.
struct ServerCommand {
  ServerOptions options;
  LogFormat log_format = LogFormat::kText;
  bool check_only = false;       // check the flags and the models, and serve nothing
  std::optional<int> exit_code;  // set if there is nothing to serve: help, version or an error
};

// Reads the command line of lipserve-server. Help and version go to stdout, errors to stderr, each
// with an exit code: 0 for help and version, 2 for a wrong command line.
ServerCommand ParseServerFlags(int argc, const char* const* argv);

}  // namespace lipserve

#endif  // SERVER_SERVER_FLAGS_H_
