// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/execution/onednn.h"
#include "model/foundation/status_macros.h"
#include "trainer/cli/commands.h"
#include "trainer/cli/summary_table.h"
#include "trainer/cli/training_text.h"
#include "trainer/losses/make_loss.h"
#include "trainer/network/trainable_network.h"
#include "trainer/optimizers/make_optimizer.h"
#include "trainer/recipes/recipe_file.h"
#include "trainer/training/scheduled_numbers.h"

namespace lipserve::trainer {
namespace {

constexpr std::size_t kMaxAxis = 4096;
// Without data the number of steps is not known. The text of a schedule does not depend on it.
constexpr std::int64_t kStepsPerEpoch = 1000;

struct SummaryFlags {
  std::string recipe;
  std::vector<std::size_t> input_shape{1, 28, 28};
};

absl::Status SummarizeRecipe(const v1::Recipe& recipe, const SampleShape& shape) {
  LIPSERVE_ASSIGN_OR_RETURN(const auto network,
                            TrainableNetwork::Create(recipe, shape, recipe.seed()));
  LIPSERVE_ASSIGN_OR_RETURN(
      const auto loss,
      MakeLoss(recipe.loss(), network->num_scores(),
               network->prototypes() == nullptr ? 0 : network->scores_per_class()));
  LIPSERVE_ASSIGN_OR_RETURN(
      const auto optimizer,
      MakeOptimizer(recipe.optimizer(), network->Parameters(), network->ParameterNames()));
  const Schedule::Run run{recipe.epochs() * kStepsPerEpoch, recipe.epochs()};
  LIPSERVE_ASSIGN_OR_RETURN(const ScheduledNumbers scheduled_numbers,
                            ScheduledNumbers::Create(recipe, run, *loss));
  std::cout << SummaryTable(recipe, *network)
            << TrainingText(recipe, *loss, *optimizer, scheduled_numbers);
  return absl::OkStatus();
}

absl::Status Summarize(const SummaryFlags& flags) {
  onednn::SetThreadsOfThisThread(1);
  RecipeLocations locations;
  LIPSERVE_ASSIGN_OR_RETURN(const v1::Recipe recipe, ReadRecipeFile(flags.recipe, &locations));
  const SampleShape shape{flags.input_shape[0], flags.input_shape[1], flags.input_shape[2]};
  return locations.Locate(SummarizeRecipe(recipe, shape));
}

}  // namespace

Command AddSummaryCommand(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("summary", "Show the network of a recipe and how it is trained");
  const auto flags = std::make_shared<SummaryFlags>();
  command->add_option("--recipe", flags->recipe, "The experiment, protobuf text")->required();
  command
      ->add_option("--input-shape", flags->input_shape,
                   "Channels, height and width of a sample, separated by commas")
      ->delimiter(',')
      ->expected(3)
      ->check(CLI::Range(std::size_t{1}, kMaxAxis))
      ->capture_default_str();
  command->footer(
      "Example:\n"
      "  lipserve-train summary --recipe trainer/recipes/mnist08.textproto");
  return {command, [flags] { return Summarize(*flags); }};
}

}  // namespace lipserve::trainer
