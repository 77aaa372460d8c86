// SPDX-License-Identifier: Apache-2.0
// lipserve-convert: ONNX models to models that lipserve-server proves and serves, and back.
#include <utility>

#include "trainer/cli/program.h"
#include "trainer/exchange/commands.h"
#include "trainer/exchange/export/export_command.h"

namespace lipserve::exchange {
namespace {

trainer::Command ExportCommand(CLI::App& app) {
  auto run = AddExportCommand(app);
  return {app.get_subcommand("export"), std::move(run)};
}

}  // namespace
}  // namespace lipserve::exchange

int main(int argc, char** argv) {
  using namespace lipserve;  // NOLINT(google-build-using-namespace)
  return trainer::RunProgram(
      {.name = "lipserve-convert",
       .description = "Converts ONNX models to models that lipserve-server proves and serves, and "
                      "back.",
       .examples = "Examples:\n"
                   "  lipserve-convert import model.onnx --out models/mine/1 --input-scale unit\n"
                   "  lipserve-convert export models/mine/1 --out model.onnx\n"
                   "\n"
                   "Exit codes: 0 done, 1 failed, 2 used wrongly.",
       .commands =
           {
               exchange::AddImportCommand,
               exchange::ExportCommand,
           }},
      argc, argv);
}
