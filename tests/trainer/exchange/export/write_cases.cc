// SPDX-License-Identifier: Apache-2.0
// Writes models, inputs and what the float64 evaluation makes of them, for onnxruntime_test.py.
//
//   onnx_cases FOLDER [RECIPE.textproto ...]
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/certificate/network_bounds.h"
#include "model/execution/float64_network.h"
#include "model/foundation/status_macros.h"
#include "tests/temporary_folder.h"
#include "tests/trainer/exchange/export/export_cases.h"
#include "trainer/exchange/export/export_onnx.h"
#include "trainer/network/trainable_network.h"
#include "trainer/recipes/recipe_file.h"

namespace lipserve::exchange {
namespace {

constexpr std::size_t kBatch = 5;

// The scores of the classes, [kBatch, NumScores].
std::vector<double> Scores(const FrozenNetwork& network, const std::vector<float>& inputs) {
  const Float64Network float64(network, kBatch);
  auto workspace = float64.NewWorkspace();
  const std::size_t prototypes = network.prototypes_per_class;
  std::vector<double> rows(kBatch * NumRows(network));
  std::vector<Upper> norms(kBatch * float64.num_rounding_layers());
  float64.Run({inputs.data(), kBatch, network.input_shape.size()}, workspace, rows, norms);
  std::vector<double> scores;
  for (auto row = rows.begin(); row != rows.end(); row += static_cast<std::ptrdiff_t>(prototypes)) {
    scores.push_back(*std::max_element(row, row + static_cast<std::ptrdiff_t>(prototypes)));
  }
  return scores;
}

absl::Status Write(const std::string& folder, const ExportCase& test) {
  const FrozenNetwork& network = test.model.network;
  LIPSERVE_ASSIGN_OR_RETURN(const NetworkBounds bounds, NetworkBounds::Create(network));
  LIPSERVE_ASSIGN_OR_RETURN(const std::string bytes, OnnxBytes(test.model, bounds));
  WriteBytes(folder + "/" + test.name + ".onnx", bytes);
  std::mt19937_64 random(1);
  const SampleShape& shape = network.input_shape;
  const std::vector<float> inputs = RandomFloats(random, kBatch * shape.size(), 1.0);
  const nlohmann::json numbers = {{"shape", {kBatch, shape.channels, shape.height, shape.width}},
                                  {"inputs", inputs},
                                  {"scores", Scores(network, inputs)}};
  WriteBytes(folder + "/" + test.name + ".json", numbers.dump());
  return absl::OkStatus();
}

// The network of a recipe with its initial weights.
absl::StatusOr<ExportCase> CaseOfRecipe(const std::string& path) {
  LIPSERVE_ASSIGN_OR_RETURN(const v1::Recipe recipe, trainer::ReadRecipeFile(path));
  const SampleShape shape = recipe.dataset().published_as() == "cifar-10" ? SampleShape{3, 32, 32}
                                                                          : SampleShape{1, 28, 28};
  LIPSERVE_ASSIGN_OR_RETURN(const auto network,
                            trainer::TrainableNetwork::Create(recipe, shape, recipe.seed()));
  return CaseOf("recipe_" + recipe.name(), network->Freeze());
}

absl::Status WriteAll(const std::vector<std::string>& arguments) {
  for (const ExportCase& test : ExportCases()) {
    LIPSERVE_RETURN_IF_ERROR(Write(arguments.front(), test));
  }
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    LIPSERVE_ASSIGN_OR_RETURN(const ExportCase test, CaseOfRecipe(arguments[i]));
    LIPSERVE_RETURN_IF_ERROR(Write(arguments.front(), test));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace lipserve::exchange

int main(int argc, char** argv) {
  const absl::Status status = lipserve::exchange::WriteAll({argv + 1, argv + argc});
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
