// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/certified_model.h"
#include "model/execution/onednn.h"
#include "model/foundation/status_macros.h"
#include "model/network/model_file.h"
#include "model/network/sealed_file.h"
#include "trainer/cli/commands.h"
#include "trainer/cli/digest_text.h"
#include "trainer/cli/evaluation_table.h"
#include "trainer/data/dataset.h"
#include "trainer/evaluation/evaluation.h"
#include "trainer/evaluation/geometric_evaluation.h"
#include "trainer/evaluation/json_lines.h"
#include "trainer/evaluation/robustness_attack.h"
#include "trainer/recipes/recipe_file.h"

namespace lipserve::trainer {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kMaxAttackImages = 1'000'000;

struct EvaluateFlags {
  std::string model;
  std::string data;
  std::vector<double> epsilons{std::begin(kDefaultEpsilons), std::end(kDefaultEpsilons)};
  std::size_t attack_images = 500;
  bool attack = false;
  bool geometry = false;
  bool json = false;
  LoadingBudget budget;
};

std::string CheckEpsilon(const std::string& text) {
  double value = 0.0;
  if (CLI::detail::lexical_cast(text, value) && std::isfinite(value) && value >= 0.0) return "";
  return absl::StrCat("expected a finite number that is not negative, got ", text);
}

std::string ModelPath(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return path;
  return (std::filesystem::path(path) / kModelFileName).string();
}

void Print(const EvaluateFlags& flags, const std::string& path, const FrozenModel& frozen,
           const Samples& samples, const Evaluation& evaluation) {
  if (flags.json) {
    Json json;
    json["event"] = "evaluation";
    json["model"] = frozen.name;
    json["path"] = path;
    json["digest_sha256"] = ToHex(frozen.digest);
    json["file_sha256"] = FileSha256(path);
    json.update(ToJson(evaluation));
    std::cout << ToLine(json) << "\n";
    return;
  }
  std::cout << "model " << frozen.name << ", " << path << "\n"
            << DigestText(frozen.digest, path) << DescribeClassProportions("test", samples)
            << "\n\n"
            << EvaluationTable(evaluation, frozen.class_labels);
}

absl::Status RunEvaluate(const EvaluateFlags& flags) {
  onednn::SetThreadsOfThisThread(1);
  const std::string path = ModelPath(flags.model);
  LIPSERVE_ASSIGN_OR_RETURN(FrozenModel frozen, ReadModelFile(path));
  if (const absl::Status recipe = ValidateRecipe(frozen.training.recipe()); !recipe.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        path,
        ": expected the recipe of its training, which says what data to take: ", recipe.message()));
  }
  LIPSERVE_ASSIGN_OR_RETURN(const Samples samples,
                            LoadEvaluationSamples(frozen.training.recipe().dataset(), flags.data));
  LIPSERVE_ASSIGN_OR_RETURN(const auto model, CertifiedModel::Create(std::move(frozen), kBatch,
                                                                     {.budget = flags.budget}));
  LIPSERVE_ASSIGN_OR_RETURN(Evaluation evaluation, Evaluate(*model, samples, flags.epsilons));
  if (flags.attack) {
    LIPSERVE_ASSIGN_OR_RETURN(
        evaluation.empirical,
        AttackSamples(*model, samples, evaluation, flags.epsilons, flags.attack_images));
  }
  if (flags.geometry) {
    LIPSERVE_ASSIGN_OR_RETURN(evaluation.geometric,
                              EvaluateGeometry(*model, samples, evaluation, flags.epsilons));
  }
  Print(flags, path, model->frozen(), samples, evaluation);
  return absl::OkStatus();
}

}  // namespace

Command AddEvaluateCommand(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("evaluate", "Measure accuracy and certified accuracy of a model");
  const auto flags = std::make_shared<EvaluateFlags>();
  command->add_option("--model", flags->model, "A model.lip, or the folder that holds it")
      ->required();
  command->add_option("--data", flags->data, "Folder with the data set's files")->required();
  command
      ->add_option("--epsilons", flags->epsilons,
                   "L2 radii, separated by commas, in units of the network's input")
      ->delimiter(',')
      ->check(CLI::Validator(CheckEpsilon, "RADIUS"))
      ->capture_default_str();
  auto* const attack = command->add_flag(
      "--attack", flags->attack, "Also attack images, for an upper bound of the true robustness");
  command->add_option("--attack-images", flags->attack_images, "How many, drawn at random")
      ->needs(attack)
      ->check(CLI::Range(std::size_t{1}, kMaxAttackImages))
      ->capture_default_str();
  command->add_flag("--geometry", flags->geometry,
                    "Of prototypes of pixels, also measure the radii that the exact geometry of "
                    "their cells proves: against any input, and against inputs in [0, 1] alone");
  command
      ->add_option("--max-load-operations", flags->budget.operations,
                   "Refuse a model whose loading takes more; 1e9 are about a second of one core")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--max-load-bytes", flags->budget.bytes,
                   "Refuse a model whose loading takes more memory")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->footer(
      "Classes are decided and radii proven by the function that also answers in the\n"
      "server.\n\n"
      "Example:\n"
      "  lipserve-train evaluate --model models/mnist08/1 --data data/mnist \\\n"
      "      --epsilons 0.5,1,1.58");
  return {command, [flags] { return RunEvaluate(*flags); }};
}

}  // namespace lipserve::trainer
