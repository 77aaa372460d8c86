// SPDX-License-Identifier: Apache-2.0
// The subcommands of lipserve-train. Each adds its flags to `app` and returns what runs it once the
// flags are parsed; results go to stdout, errors come back as a status.
#ifndef TRAINER_CLI_COMMANDS_H_
#define TRAINER_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <functional>

#include "absl/status/status.h"

namespace lipserve::trainer {

// A subcommand and what it does.
struct Command {
  CLI::App* app = nullptr;
  std::function<absl::Status()> run;
};

Command AddTrainCommand(CLI::App& app);
Command AddEvaluateCommand(CLI::App& app);
Command AddSummaryCommand(CLI::App& app);

}  // namespace lipserve::trainer

#endif  // TRAINER_CLI_COMMANDS_H_
