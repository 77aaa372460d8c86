// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/evaluation.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"
#include "model/network/pixel_scaling.h"
#include "trainer/data/minibatch_stream.h"
#include "trainer/data/shuffle.h"

namespace lipserve::trainer {
namespace {

absl::Status CheckSamplesFit(const FrozenModel& frozen, const Samples& samples) {
  const SampleShape& wanted = frozen.network.input_shape;
  if (samples.shape != wanted) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "model %s: expected images of shape [%d, %d, %d], the data has [%d, %d, %d]", frozen.name,
        wanted.channels, wanted.height, wanted.width, samples.shape.channels, samples.shape.height,
        samples.shape.width));
  }
  if (samples.class_names != frozen.class_labels) {
    return absl::InvalidArgumentError(absl::StrCat(
        "model ", frozen.name, ": expected data of the classes ",
        absl::StrJoin(frozen.class_labels, ", "), ", the data has ",
        absl::StrJoin(samples.class_names, ", "), ": is it the data set of its training?"));
  }
  return absl::OkStatus();
}

void CountStage(const Answer& answer, Evaluation& evaluation) {
  switch (answer.decided_by) {
    case DecidedBy::kFloat32:
      ++evaluation.decided_by_float32;
      break;
    case DecidedBy::kFloat64:
      ++evaluation.decided_by_float64;
      break;
    case DecidedBy::kExact:
      ++evaluation.decided_by_exact;
      break;
  }
  if (answer.stages_disagreed) ++evaluation.stages_disagreed;
}

double Median(std::vector<double> values) {
  const std::size_t middle = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2.0;
}

// Accuracies and radii of the samples for which `counts` holds. Requires: there is one.
template <typename Predicate>
ClassEvaluation Summarize(const std::vector<SampleOutcome>& outcomes,
                          std::span<const double> epsilons, Predicate counts) {
  ClassEvaluation summary;
  std::vector<double> radii;  // of the samples that are classified rightly
  for (const SampleOutcome& outcome : outcomes) {
    if (!counts(outcome)) continue;
    ++summary.samples;
    if (outcome.is_right()) radii.push_back(outcome.radius_l2);
  }
  const auto share = [&summary](std::size_t count) {
    return static_cast<double>(count) / static_cast<double>(summary.samples);
  };
  summary.accuracy = share(radii.size());
  for (const double epsilon : epsilons) {
    const auto certified = std::count_if(radii.begin(), radii.end(), [epsilon](double radius) {
      return IsCertifiedAt(radius, epsilon);
    });
    summary.certified.push_back({epsilon, share(static_cast<std::size_t>(certified))});
  }
  radii.resize(summary.samples, 0.0);
  summary.mean_radius_l2 =
      std::accumulate(radii.begin(), radii.end(), 0.0) / static_cast<double>(radii.size());
  summary.median_radius_l2 = Median(std::move(radii));
  return summary;
}

// Fills what follows from the outcomes.
void SummarizeOutcomes(std::span<const double> epsilons, Evaluation& evaluation) {
  const std::size_t classes = evaluation.confusion.size();
  for (const SampleOutcome& outcome : evaluation.outcomes) {
    ++evaluation.confusion[outcome.label][outcome.answered];
  }
  ClassEvaluation all =
      Summarize(evaluation.outcomes, epsilons, [](const SampleOutcome&) { return true; });
  evaluation.accuracy = all.accuracy;
  evaluation.certified = std::move(all.certified);
  evaluation.mean_radius_l2 = all.mean_radius_l2;
  evaluation.median_radius_l2 = all.median_radius_l2;
  evaluation.classes.resize(classes);
  for (std::size_t c = 0; c < classes; ++c) {
    const auto of_class = [c](const SampleOutcome& outcome) { return outcome.label == c; };
    if (std::none_of(evaluation.outcomes.begin(), evaluation.outcomes.end(), of_class)) continue;
    evaluation.classes[c] = Summarize(evaluation.outcomes, epsilons, of_class);
  }
}

v1::NamedValue Named(const std::string& name, double value) {
  v1::NamedValue named;
  named.set_name(name);
  named.set_value(value);
  return named;
}

}  // namespace

absl::StatusOr<Evaluation> Evaluate(const CertifiedModel& model, const Samples& samples,
                                    std::span<const double> epsilons) {
  LIPSERVE_RETURN_IF_ERROR(CheckSamplesFit(model.frozen(), samples));
  assert(samples.size() > 0);
  const std::size_t classes = samples.class_names.size();
  Evaluation evaluation;
  evaluation.samples = samples.size();
  evaluation.lipschitz_bound = model.lipschitz_bound();
  evaluation.confusion.assign(classes, std::vector<std::size_t>(classes, 0));

  const CertifiedModel::WorkerHandle worker = model.NewWorker();
  MinibatchStream stream(samples, PixelScaling(model.frozen().pixel_divisor), model.max_batch());
  stream.Begin(FileOrder(samples.size()));
  std::vector<Answer> answers(model.max_batch());
  while (const Minibatch* batch = stream.Next()) {
    model.Classify(batch->inputs(), *worker, std::span(answers).first(batch->size()));
    for (std::size_t i = 0; i < batch->size(); ++i) {
      evaluation.outcomes.push_back({static_cast<std::size_t>(batch->labels[i]),
                                     answers[i].class_index, answers[i].radius_l2});
      CountStage(answers[i], evaluation);
    }
  }

  SummarizeOutcomes(epsilons, evaluation);
  return evaluation;
}

std::vector<v1::NamedValue> ToNamedValues(const Evaluation& evaluation) {
  std::vector<v1::NamedValue> values = {Named("accuracy", evaluation.accuracy)};
  for (const CertifiedAccuracy& certified : evaluation.certified) {
    values.push_back(
        Named(absl::StrCat("certified_accuracy@", certified.epsilon), certified.accuracy));
  }
  values.push_back(Named("mean_radius_l2", evaluation.mean_radius_l2));
  values.push_back(Named("median_radius_l2", evaluation.median_radius_l2));
  values.push_back(Named("lipschitz_bound", evaluation.lipschitz_bound));
  return values;
}

}  // namespace lipserve::trainer
