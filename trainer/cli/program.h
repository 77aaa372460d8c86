// SPDX-License-Identifier: Apache-2.0
// A program of subcommands: flags, help, errors and exit codes alike for all of the trainer's.
#ifndef TRAINER_CLI_PROGRAM_H_
#define TRAINER_CLI_PROGRAM_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace lipserve::trainer {

// A subcommand and what it does.
struct Command {
  CLI::App* app = nullptr;
  std::function<absl::Status()> run;
};

struct Program {
  std::string name;
  std::string description;
  std::string examples;  // below the help
  // Adds the flags of each subcommand.
  std::vector<Command (*)(CLI::App&)> commands;
};

// Parses the flags and runs the subcommand. Results go to stdout, errors to stderr.
//
// Returns: the exit code: 0 done, 1 failed, 2 used wrongly.
int RunProgram(const Program& program, int argc, char** argv);

}  // namespace lipserve::trainer

#endif  // TRAINER_CLI_PROGRAM_H_
