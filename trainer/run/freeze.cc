// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/freeze.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/certificate/layer_bounds.h"
#include "model/foundation/status_macros.h"
#include "model/network/pixel_scaling.h"
#include "model/network/sealed_file.h"
#include "trainer/data/minibatch_stream.h"
#include "trainer/data/shuffle.h"
#include "trainer/evaluation/robustness_attack.h"
#include "trainer/training/centred_inputs.h"

namespace lipserve::trainer {
namespace {

constexpr std::size_t kEvaluationBatch = 64;

// Rounding differs by about 1e-6 of the largest score on networks of this kind (measured 1.5e-6 for
// scores near 3); a lost bias, a swapped layout or a wrong sort differs by its order of magnitude.
constexpr double kSelfCheckTolerance = 1e-4;

// What the model records of its training, beside its recipe: metrics, but neither times nor paths.
void AddResults(const TrainingLoop& loop, const Evaluation& evaluation,
                v1::TrainingRecord& record) {
  for (const v1::NamedValue& metric : loop.result_record().metrics()) {
    if (metric.name().starts_with("val_")) *record.add_results() = metric;
  }
  for (v1::NamedValue& value : ToNamedValues(evaluation)) {
    *record.add_results() = std::move(value);
  }
}

absl::Status CompareScores(const Answer& answer, std::span<const float> float32_scores,
                           std::size_t sample) {
  double largest = 1.0;
  for (const float score : answer.scores) {
    largest = std::max(largest, std::abs(static_cast<double>(score)));
  }
  for (std::size_t s = 0; s < float32_scores.size(); ++s) {
    const double difference =
        std::abs(static_cast<double>(float32_scores[s]) - static_cast<double>(answer.scores[s]));
    if (!(difference <= kSelfCheckTolerance * largest)) {
      return absl::InternalError(
          absl::StrCat("self-check of the frozen model: validation sample ", sample, ", score ", s,
                       ": expected float32 to agree with float64 (", answer.scores[s], "), got ",
                       float32_scores[s], "; nothing was written"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SelfCheck(const CertifiedModel& model, const Samples& samples) {
  const CertifiedModel::WorkerHandle worker = model.NewWorker();
  const std::size_t num_scores = NumScores(model.frozen().network);
  std::vector<Answer> answers(model.max_batch());
  std::vector<float> scores(model.max_batch() * num_scores);
  MinibatchStream stream(samples, PixelScaling(model.frozen().pixel_divisor), model.max_batch());
  stream.Begin(FileOrder(samples.size()));
  std::size_t first = 0;
  absl::Status status;
  while (const Minibatch* batch = stream.Next()) {
    const MatrixView float32_scores{scores.data(), batch->size(), num_scores};
    model.Classify(batch->inputs(), *worker, std::span(answers).first(batch->size()));
    model.ScoresFloat32(batch->inputs(), *worker, float32_scores);
    for (std::size_t i = 0; i < batch->size() && status.ok(); ++i) {
      status = CompareScores(answers[i], float32_scores.row(i), first + i);
    }
    if (!status.ok()) return status;
    first += batch->size();
  }
  return absl::OkStatus();
}

absl::Status ClaimOperatorNorms(FrozenNetwork& network) {
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    if (const absl::Status claim = ClaimOperatorNorm(network.layers[i]); !claim.ok()) {
      return absl::Status(claim.code(),
                          absl::StrCat("freezing layer ", i, " (", DescribeLayer(network.layers[i]),
                                       "): ", claim.message()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<FrozenModel> FreezeWeights(const TrainingLoop& loop) {
  FrozenModel model;
  model.name = loop.recipe().name();
  model.network = loop.network().Freeze();
  if (!loop.input_mean().empty()) MoveMeanIntoBias(loop.input_mean(), model.network);
  model.pixel_divisor = loop.recipe().dataset().pixel_divisor();
  model.class_labels = loop.dataset().train.class_names;
  LIPSERVE_RETURN_IF_ERROR(CheckNetwork(model.network));
  LIPSERVE_RETURN_IF_ERROR(ClaimOperatorNorms(model.network));
  *model.training.mutable_recipe() = loop.recipe();
  model.training.set_trainer_version(LIPSERVE_VERSION);
  return model;
}

absl::StatusOr<std::shared_ptr<const CertifiedModel>> ProveFrozen(const FrozenModel& model) {
  return CertifiedModel::Create(model, kEvaluationBatch, {.budget = LoadingBudget::Unlimited()});
}

absl::StatusOr<FreezeResult> Freeze(TrainingLoop& loop, std::size_t attack_images) {
  loop.InstallResult();
  FreezeResult frozen;
  FrozenModel& model = frozen.model;
  LIPSERVE_ASSIGN_OR_RETURN(model, FreezeWeights(loop));
  LIPSERVE_ASSIGN_OR_RETURN(const auto certified, ProveFrozen(model));
  frozen.layer_lipschitz_bounds.assign(certified->layer_lipschitz_bounds().begin(),
                                       certified->layer_lipschitz_bounds().end());
  LIPSERVE_RETURN_IF_ERROR(SelfCheck(*certified, loop.dataset().evaluation()));
  LIPSERVE_ASSIGN_OR_RETURN(frozen.evaluation,
                            Evaluate(*certified, loop.dataset().evaluation(), kDefaultEpsilons));
  if (frozen.evaluation.stages_disagreed != 0) {
    return absl::InternalError(absl::StrCat(
        "self-check of the frozen model: float32 and float64 each proved another class for ",
        frozen.evaluation.stages_disagreed, " samples; nothing was written"));
  }
  if (attack_images > 0) {
    LIPSERVE_ASSIGN_OR_RETURN(frozen.evaluation.empirical,
                              AttackSamples(*certified, loop.dataset().evaluation(),
                                            frozen.evaluation, kDefaultEpsilons, attack_images));
  }
  AddResults(loop, frozen.evaluation, model.training);
  return frozen;
}

absl::Status WriteAndReadBack(const std::string& path, FrozenModel& model) {
  LIPSERVE_RETURN_IF_ERROR(WriteModelFile(path, model));
  LIPSERVE_ASSIGN_OR_RETURN(const FrozenModel read, ReadModelFile(path));
  if (read.digest == model.digest) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(path, ": expected to read back the model with digest ",
                                          ToHex(model.digest), ", got ", ToHex(read.digest)));
}

}  // namespace lipserve::trainer
