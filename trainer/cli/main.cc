// SPDX-License-Identifier: Apache-2.0
// lipserve-train: trains, evaluates and describes Lipschitz classifiers.
#include "trainer/cli/commands.h"
#include "trainer/cli/program.h"

int main(int argc, char** argv) {
  using namespace lipserve::trainer;  // NOLINT(google-build-using-namespace)
  return RunProgram(
      {.name = "lipserve-train",
       .description = "Trains classifiers whose answers carry a proven L2 radius, and "
                      "freezes them for lipserve-server.",
       .examples = "Examples:\n"
                   "  lipserve-train train --recipe trainer/recipes/mnist08.textproto \\\n"
                   "      --data data/mnist --out models/mnist08/1\n"
                   "  lipserve-train evaluate --model models/mnist08/1 --data data/mnist \\\n"
                   "      --epsilons 0.5,1,1.58\n"
                   "  lipserve-train summary --recipe trainer/recipes/mnist08.textproto\n"
                   "\n"
                   "Exit codes: 0 done, 1 failed, 2 used wrongly.",
       .commands = {AddTrainCommand, AddEvaluateCommand, AddSummaryCommand}},
      argc, argv);
}
