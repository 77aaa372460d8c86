// SPDX-License-Identifier: Apache-2.0
// lipserve-convert: ONNX models to models that lipserve-server proves and serves, and back.
#include "trainer/cli/program.h"
#include "trainer/exchange/commands.h"

int main(int argc, char** argv) {
  using namespace lipserve;  // NOLINT(google-build-using-namespace)
  return trainer::RunProgram(
      {.name = "lipserve-convert",
       .description = "Converts ONNX models to models that lipserve-server proves and serves, and "
                      "back.",
       .examples = "Examples:\n"
                   "  lipserve-convert import model.onnx --out models/mine/1 --input-scale unit\n"
                   "\n"
                   "Exit codes: 0 done, 1 failed, 2 used wrongly.",
       .commands =
           {
               exchange::AddImportCommand,
           }},
      argc, argv);
}
