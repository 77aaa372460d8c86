// SPDX-License-Identifier: Apache-2.0
// report.html: the results of a training run on one self-contained page. Open it in any browser,
// mail it, or keep it beside the model.
//
// Example:
//   LIPSERVE_RETURN_IF_ERROR(WriteFileAtomically(path, ReportPage(ReportData(facts))));
#ifndef TRAINER_REPORT_REPORT_H_
#define TRAINER_REPORT_REPORT_H_

#include <span>
#include <string>
#include <vector>

#include "lipserve/v1/checkpoint.pb.h"
#include "model/certified_model.h"
#include "trainer/data/dataset.h"
#include "trainer/evaluation/evaluation.h"
#include "trainer/evaluation/json_lines.h"

namespace lipserve::trainer {

// What a report is made from; all borrowed.
struct ReportFacts {
  const FrozenModel& model;
  const Evaluation& evaluation;
  std::span<const double> layer_lipschitz_bounds;  // proven, of each layer
  const Dataset& dataset;
  std::span<const v1::EpochRecord> history;
  std::int64_t model_epoch;  // which epoch's weights the model has
  int threads;
  std::span<const double>
      epoch_seconds;  // of the last epochs; none for epochs before the run was resumed
};

// Everything that the page shows, as the page's script reads it.
//
// Guarantee: every radius and accuracy is of facts.evaluation, hence of CertifiedModel::Classify.
Json ReportData(const ReportFacts& facts);

// The page: template, style, Chart.js, script and data in one text. It loads nothing, which its
// content security policy enforces.
std::string ReportPage(const Json& data);

}  // namespace lipserve::trainer

#endif  // TRAINER_REPORT_REPORT_H_
