// SPDX-License-Identifier: Apache-2.0
// The subcommands of lipserve-convert. Each function adds the flags of one subcommand to `app` and
// returns a function that runs it after the flags are parsed.
#ifndef TRAINER_EXCHANGE_COMMANDS_H_
#define TRAINER_EXCHANGE_COMMANDS_H_

#include <CLI/CLI.hpp>

#include "trainer/cli/program.h"

namespace lipserve::exchange {

trainer::Command AddImportCommand(CLI::App& app);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_COMMANDS_H_
