// SPDX-License-Identifier: Apache-2.0
// The subcommands of lipserve-train. Each function adds the flags of one subcommand to `app` and
// returns a function that runs it after the flags are parsed. Results go to stdout; errors are
// returned as a status.
#ifndef TRAINER_CLI_COMMANDS_H_
#define TRAINER_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>

#include "trainer/cli/program.h"

namespace lipserve::trainer {

Command AddTrainCommand(CLI::App& app);
Command AddEvaluateCommand(CLI::App& app);
Command AddSummaryCommand(CLI::App& app);

}  // namespace lipserve::trainer

#endif  // TRAINER_CLI_COMMANDS_H_
