// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/arithmetic/outward_rounding.h"
#include "model/arithmetic/vector_norm.h"
#include "model/certificate/network_bounds.h"
#include "model/certified_model.h"
#include "model/execution/onednn.h"
#include "model/foundation/status_macros.h"
#include "model/loading_cost.h"
#include "model/network/model_file.h"
#include "proto/text/label_text.h"
#include "trainer/cli/digest_text.h"
#include "trainer/evaluation/evaluation.h"
#include "trainer/evaluation/frozen_gradient.h"
#include "trainer/exchange/commands.h"
#include "trainer/exchange/graph/read_graph.h"
#include "trainer/exchange/import/comparison.h"
#include "trainer/exchange/import/converter.h"
#include "trainer/exchange/import/import_report.h"
#include "trainer/exchange/reference_samples.h"
#include "trainer/run/freeze.h"
#include "trainer/run/output_folder.h"

namespace lipserve::exchange {
namespace {

constexpr std::size_t kBatch = 16;
constexpr std::size_t kMostSlopes = 64;  // samples at which the gradient is taken

struct ImportFlags {
  std::string model;
  std::string out;
  std::string labels;
  std::string input_scale;
  std::vector<std::int64_t> input_shape;
  std::string reference;
  std::vector<double> epsilons{std::begin(trainer::kDefaultEpsilons),
                               std::end(trainer::kDefaultEpsilons)};
  LoadingBudget budget;
  bool overwrite = false;
};

std::string CheckEpsilon(const std::string& text) {
  double value = 0.0;
  if (CLI::detail::lexical_cast(text, value) && std::isfinite(value) && value >= 0.0) return "";
  return absl::StrCat("expected a finite number that is not negative, got ", text);
}

absl::StatusOr<Converted> ReadAndConvert(const ImportFlags& flags) {
  if (flags.input_shape.empty()) {
    LIPSERVE_ASSIGN_OR_RETURN(Graph graph, ReadGraph(flags.model, {}));
    return Convert(std::move(graph), std::nullopt);
  }
  absl::StatusOr<Graph> graph = ReadGraph(flags.model, {.input_shape = flags.input_shape});
  if (graph.ok()) return Convert(*std::move(graph), std::nullopt);
  // A model of vectors can be served images.
  absl::StatusOr<Graph> of_vectors = ReadGraph(flags.model, {});
  if (!of_vectors.ok()) return graph.status();
  const auto size = [&](std::size_t axis) {
    return static_cast<std::size_t>(flags.input_shape[axis]);
  };
  return Convert(*std::move(of_vectors), SampleShape{size(0), size(1), size(2)});
}

// One label a line; numbers where no file is given.
absl::StatusOr<std::vector<std::string>> ReadLabels(const std::string& path, std::size_t classes) {
  std::vector<std::string> labels;
  if (path.empty()) {
    for (std::size_t i = 0; i < classes; ++i) labels.push_back(absl::StrCat(i));
    return labels;
  }
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be opened"));
  std::string line;
  while (labels.size() <= classes && std::getline(file, line)) {
    if (line.ends_with('\r')) line.pop_back();
    const std::string problem = LabelProblem(line);
    if (!problem.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": line ", labels.size() + 1, ": expected a label, but it ", problem));
    }
    labels.push_back(line);
  }
  if (labels.size() == classes) return labels;
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": expected ", classes, " labels, one a line, got ",
                   labels.size() > classes ? "more" : absl::StrCat(labels.size())));
}

double PixelDivisorOf(const std::string& input_scale) {
  if (input_scale == "unit") return 255.0;
  return input_scale == "pixel" ? 1.0 : 0.0;
}

// The name of models/NAME/VERSION, or the file's.
std::string ModelName(const ImportFlags& flags) {
  std::filesystem::path out = flags.out;
  if (!out.has_filename()) out = out.parent_path();
  const std::string name = out.parent_path().filename().string();
  return name.empty() ? std::filesystem::path(flags.model).stem().string() : name;
}

std::vector<double> ScoreBounds(const FrozenNetwork& network, const NetworkBounds& bounds) {
  const ScopedStrictFloatingPoint strict;
  const auto& last = std::get<DenseLayer>(network.layers.back());
  std::vector<double> result;
  for (std::size_t i = 0; i < last.outputs; ++i) {
    const auto row = std::span(last.weights).subspan(i * last.inputs, last.inputs);
    result.push_back((NormBound(row) * bounds.hidden_lipschitz()).value());
  }
  return result;
}

// Claims the norms of the layers, and has them proven.
absl::StatusOr<std::shared_ptr<const CertifiedModel>> Prove(FrozenModel model,
                                                            const LoadingBudget& budget) {
  LIPSERVE_RETURN_IF_ERROR(CheckLoadingCost(model.network, kBatch, budget));
  LIPSERVE_RETURN_IF_ERROR(trainer::ClaimOperatorNorms(model.network));
  return CertifiedModel::Create(std::move(model), kBatch, {.budget = budget});
}

// The steepest difference between the best score and another one at a sample, and its proven bound.
void MeasureSlopes(const FrozenNetwork& network, const NetworkBounds& bounds,
                   ConstMatrixView samples, RadiusFacts& facts) {
  const ScopedStrictFloatingPoint strict;
  trainer::FrozenGradient gradient(network);
  const std::size_t rows = NumRows(network);
  for (std::size_t n = 0; n < std::min(samples.rows, kMostSlopes); ++n) {
    const ConstMatrixView sample{samples.row(n).data(), 1, samples.cols};
    const auto found = gradient.Scores(sample).row(0);
    const std::vector<float> scores(found.begin(), found.end());
    const auto best =
        static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
    for (std::size_t j = 0; j < std::max<std::size_t>(rows, 2); ++j) {
      if (j == best) continue;
      std::vector<float> weights(rows, 0.0F);
      weights[best] = 1.0F;
      if (j < rows) weights[j] = -1.0F;
      const auto slope = NormBound(gradient.Gradient({weights.data(), 1, rows}).row(0)).value();
      if (!(slope > facts.steepest_slope)) continue;
      facts.steepest_slope = slope;
      facts.proven_slope =
          (bounds.pairs().Bounds(best, j).difference_norm * bounds.hidden_lipschitz()).value();
    }
  }
}

absl::StatusOr<RadiusFacts> MeasureRadii(const CertifiedModel& model, const NetworkBounds& bounds,
                                         const ReferenceSamples& reference,
                                         std::vector<double> epsilons) {
  RadiusFacts facts;
  facts.epsilons = std::move(epsilons);
  const ConstMatrixView samples = reference.view();
  const auto worker = model.NewWorker();
  std::vector<Answer> answers(samples.rows);
  model.Classify(samples, *worker, answers);
  std::size_t right = 0;
  for (std::size_t n = 0; n < answers.size(); ++n) {
    facts.radii_l2.push_back(answers[n].radius_l2);
    if (!reference.labels.empty() &&
        static_cast<std::int64_t>(answers[n].class_index) == reference.labels[n]) {
      ++right;
    }
  }
  if (!reference.labels.empty()) facts.right = right;
  MeasureSlopes(model.frozen().network, bounds, samples, facts);
  return facts;
}

absl::StatusOr<trainer::OutputFolder> OpenFolder(const ImportFlags& flags) {
  LIPSERVE_ASSIGN_OR_RETURN(trainer::OutputFolder folder, trainer::OutputFolder::Open(flags.out));
  if (!flags.overwrite && (folder.HasModel() || folder.HasCheckpoint())) {
    return absl::FailedPreconditionError(
        absl::StrCat("output folder ", flags.out,
                     ": expected no model, got one. Choose another --out, or --overwrite, which "
                     "replaces it"));
  }
  return folder;
}

// Holds the proven model against the graph and, where there is one, the reference.
absl::StatusOr<ImportFacts> Examine(const ImportFlags& flags, const Converted& converted,
                                    const CertifiedModel& model,
                                    const std::optional<ReferenceSamples>& reference) {
  const NetworkBounds& bounds = model.bounds();
  ImportFacts facts{.converted = converted,
                    .class_labels = model.frozen().class_labels,
                    .layer_bounds = model.layer_lipschitz_bounds(),
                    .score_bounds = ScoreBounds(converted.network, bounds),
                    .from_graph = {},
                    .from_reference = std::nullopt,
                    .radii = std::nullopt};
  const ConstMatrixView samples = reference ? reference->view() : ConstMatrixView{};
  LIPSERVE_ASSIGN_OR_RETURN(facts.from_graph, CompareWithGraph(converted, bounds, samples));
  if (!reference) return facts;
  LIPSERVE_ASSIGN_OR_RETURN(facts.from_reference,
                            CompareWithReference(converted, samples, reference->outputs));
  LIPSERVE_ASSIGN_OR_RETURN(facts.radii, MeasureRadii(model, bounds, *reference, flags.epsilons));
  return facts;
}

absl::Status RunImport(const ImportFlags& flags) {
  onednn::SetThreadsOfThisThread(1);
  LIPSERVE_ASSIGN_OR_RETURN(const Converted converted, ReadAndConvert(flags));
  std::optional<ReferenceSamples> reference;
  if (!flags.reference.empty()) {
    LIPSERVE_ASSIGN_OR_RETURN(reference, ReadReferenceSamples(flags.reference, converted));
  }
  FrozenModel unproven;
  unproven.name = ModelName(flags);
  unproven.network = converted.network;
  unproven.pixel_divisor = PixelDivisorOf(flags.input_scale);
  unproven.training.set_trainer_version(LIPSERVE_VERSION);
  LIPSERVE_ASSIGN_OR_RETURN(unproven.class_labels,
                            ReadLabels(flags.labels, NumClasses(converted.network)));
  const auto certified = Prove(std::move(unproven), flags.budget);
  if (!certified.ok()) {
    return absl::Status(
        certified.status().code(),
        absl::StrCat(flags.model, ": the converted network: ", certified.status().message()));
  }
  LIPSERVE_ASSIGN_OR_RETURN(const ImportFacts facts,
                            Examine(flags, converted, **certified, reference));
  LIPSERVE_ASSIGN_OR_RETURN(const trainer::OutputFolder folder, OpenFolder(flags));
  LIPSERVE_RETURN_IF_ERROR(folder.RemoveAll());
  FrozenModel model = (*certified)->frozen();
  LIPSERVE_RETURN_IF_ERROR(trainer::WriteAndReadBack(folder.model_path(), model));
  std::cout << ImportReport(facts) << "wrote " << folder.model_path() << "\n"
            << trainer::DigestText(model.digest, folder.model_path());
  if (flags.input_scale.empty()) {
    std::cout << "no --input-scale: UINT8 images will be refused, FP32 ones are served\n";
  }
  return absl::OkStatus();
}

}  // namespace

trainer::Command AddImportCommand(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("import", "Convert an ONNX model to a model.lip, check it and prove it");
  const auto flags = std::make_shared<ImportFlags>();
  command->add_option("model", flags->model, "The ONNX file")->required();
  command
      ->add_option("--out", flags->out,
                   "Folder to write; to be served it is models/<name>/<version>, e.g. "
                   "models/mine/1")
      ->required();
  command->add_option("--labels", flags->labels,
                      "File with the name of each class, one a line; numbers without it");
  command
      ->add_option("--input-scale", flags->input_scale,
                   "What a UINT8 pixel p becomes: p itself (pixel) or p / 255 (unit); without it "
                   "the server refuses UINT8")
      ->check(CLI::IsMember({"pixel", "unit"}));
  command
      ->add_option("--input-shape", flags->input_shape,
                   "C,H,W of one image, where the file leaves it open or takes vectors")
      ->delimiter(',')
      ->expected(3)
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 22));
  command->add_option("--reference", flags->reference,
                      "NumPy archive with `input`, `output` of the original model, and maybe "
                      "`labels`: compares them and shows radii");
  command
      ->add_option("--epsilons", flags->epsilons,
                   "L2 radii to count answers at, separated by commas")
      ->delimiter(',')
      ->check(CLI::Validator(CheckEpsilon, "RADIUS"))
      ->capture_default_str();
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
  command->add_flag("--overwrite", flags->overwrite, "Replace a model that is there");
  command->footer(
      "Nothing is written unless the converted network agrees with the graph, evaluated\n"
      "node by node, within proven rounding errors.\n\n"
      "Example:\n"
      "  lipserve-convert import model.onnx --out models/mine/1 --input-scale unit \\\n"
      "      --labels labels.txt --reference reference.npz");
  return {command, [flags] { return RunImport(*flags); }};
}

}  // namespace lipserve::exchange
