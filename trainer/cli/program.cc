// SPDX-License-Identifier: Apache-2.0
#include "trainer/cli/program.h"

#include <csignal>
#include <iostream>
#include <memory>

#include "model/arithmetic/floating_point_canary.h"
#include "model/execution/onednn.h"
#include "proto/text/help_formatter.h"
#include "proto/text/label_text.h"
#include "proto/text/near_name.h"

namespace lipserve::trainer {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsedWrongly = 2;

// Every name that may follow the program: of subcommands, and of the flags of the one in use.
std::vector<std::string> KnownNames(const CLI::App& app, const std::vector<Command>& commands) {
  std::vector<std::string> names;
  const auto add_flags = [&names](const CLI::App& owner) {
    for (const CLI::Option* option : owner.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  };
  add_flags(app);
  for (const Command& command : commands) {
    if (command.app->parsed()) add_flags(*command.app);
    names.push_back(command.app->get_name());
  }
  return names;
}

int ReportUsageError(const CLI::ParseError& error, const CLI::App& app,
                     const std::vector<Command>& commands, const std::vector<std::string>& words) {
  std::cerr << app.get_name() << ": " << error.what() << "\n";
  const std::vector<std::string> known = KnownNames(app, commands);
  for (const std::string& word : words) {
    const std::string name = word.substr(0, word.find('='));
    const std::string nearest = NearName(name, known);
    if (!nearest.empty() && nearest != name) {
      std::cerr << name << ": did you mean " << nearest << "?\n";
    }
  }
  std::cerr << "Run with --help for flags and examples.\n";
  return kUsedWrongly;
}

}  // namespace

int RunProgram(const Program& program, int argc, char** argv) {
  // Above `ulimit -f`, write() shall fail with an error that can be reported.
  std::signal(SIGXFSZ, SIG_IGN);
  onednn::UseStrictFloat32();
  CLI::App app(program.description, program.name);
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_version_flag("--version", program.name + " " + LIPSERVE_VERSION);
  app.require_subcommand(1);
  app.footer(program.examples);
  std::vector<Command> commands;
  for (const auto add : program.commands) commands.push_back(add(app));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == kDone) return app.exit(error);  // --help and --version
    return ReportUsageError(error, app, commands, {argv + 1, argv + argc});
  }
  for (const Command& command : commands) {
    if (!command.app->parsed()) continue;
    // Commands compute their proofs on this thread.
    absl::Status status = CheckStrictFloatingPoint();
    if (status.ok()) status = command.run();
    if (!status.ok()) {
      std::cout << std::flush;
      std::cerr << program.name << " " << command.app->get_name() << ": "
                << Visible(std::string(status.message())) << "\n";
      return kFailed;
    }
  }
  std::cout << std::flush;
  if (!std::cout) {
    std::cerr << program.name << ": cannot write to standard output\n";
    return kFailed;
  }
  return kDone;
}

}  // namespace lipserve::trainer
