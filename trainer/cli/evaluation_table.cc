// SPDX-License-Identifier: Apache-2.0
#include "trainer/cli/evaluation_table.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lipserve::trainer {
namespace {

std::string ConfusionTable(const Evaluation& evaluation,
                           const std::vector<std::string>& class_labels) {
  std::size_t width = 6;
  for (const std::string& label : class_labels) width = std::max(width, label.size() + 1);
  const int column = static_cast<int>(width);
  std::string text = absl::StrFormat("  %*s |", column, "true");
  for (const std::string& label : class_labels) absl::StrAppendFormat(&text, "%*s", column, label);
  absl::StrAppend(&text, "   <- answered\n");
  for (std::size_t c = 0; c < class_labels.size(); ++c) {
    absl::StrAppendFormat(&text, "  %*s |", column, class_labels[c]);
    for (const std::size_t count : evaluation.confusion[c]) {
      absl::StrAppendFormat(&text, "%*d", column, count);
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

// One line a class: how often it is recognised, and with what proof.
std::string ClassTable(const Evaluation& evaluation, const std::vector<std::string>& class_labels) {
  std::size_t width = 6;
  for (const std::string& label : class_labels) width = std::max(width, label.size() + 1);
  const int column = static_cast<int>(width);
  std::string text = absl::StrFormat("  %*s | samples   right", column, "class");
  for (const CertifiedAccuracy& certified : evaluation.certified) {
    absl::StrAppendFormat(&text, "%8s", absl::StrCat("@", certified.epsilon));
  }
  absl::StrAppend(&text, "    mean  median radius\n");
  for (std::size_t c = 0; c < class_labels.size(); ++c) {
    const ClassEvaluation& of_class = evaluation.classes[c];
    absl::StrAppendFormat(&text, "  %*s |%8d  %.4f", column, class_labels[c], of_class.samples,
                          of_class.accuracy);
    for (const CertifiedAccuracy& certified : of_class.certified) {
      absl::StrAppendFormat(&text, "  %.4f", certified.accuracy);
    }
    absl::StrAppendFormat(&text, "  %.4f  %.4f\n", of_class.mean_radius_l2,
                          of_class.median_radius_l2);
  }
  return text;
}

std::string GeometryTable(const GeometricEvaluation& geometric) {
  std::string text =
      "proven by the geometry of the prototypes, not served      any input   inputs in [0, 1]\n";
  const GeometricAccuracy& any = geometric.any_input;
  const GeometricAccuracy& box = geometric.inputs_in_unit_box;
  for (std::size_t i = 0; i < any.certified.size(); ++i) {
    absl::StrAppendFormat(&text,
                          "  right, and no other class within L2 %-8s             %.4f   %.4f\n",
                          absl::StrCat(any.certified[i].epsilon), any.certified[i].accuracy,
                          box.certified[i].accuracy);
  }
  absl::StrAppendFormat(&text,
                        "  mean L2 radius (wrong = 0)                               %.4f   %.4f\n",
                        any.mean_radius_l2, box.mean_radius_l2);
  return text;
}

}  // namespace

std::string EvaluationTable(const Evaluation& evaluation,
                            const std::vector<std::string>& class_labels) {
  std::string text =
      absl::StrFormat("%d samples                    accuracy\n", evaluation.samples);
  absl::StrAppendFormat(&text, "  class is right                 %.4f\n", evaluation.accuracy);
  for (const CertifiedAccuracy& certified : evaluation.certified) {
    absl::StrAppendFormat(&text, "  and proven within L2 %-8s  %.4f\n",
                          absl::StrCat(certified.epsilon), certified.accuracy);
  }
  absl::StrAppendFormat(&text, "certified L2 radius (wrong = 0): mean %.4f, median %.4f\n",
                        evaluation.mean_radius_l2, evaluation.median_radius_l2);
  if (evaluation.empirical.has_value()) {
    absl::StrAppendFormat(&text,
                          "%d samples attacked by DeepFool and PGD: proven <= true <= found\n",
                          evaluation.empirical->samples);
    for (const EmpiricalAccuracy& at : evaluation.empirical->accuracies) {
      absl::StrAppendFormat(&text, "  robust within L2 %-8s        %.4f <= true <= %.4f\n",
                            absl::StrCat(at.epsilon), at.certified, at.empirical);
    }
  }
  if (evaluation.geometric.has_value()) text += GeometryTable(*evaluation.geometric);
  absl::StrAppendFormat(&text, "proven Lipschitz bound of a score: %.9f\n",
                        evaluation.lipschitz_bound);
  absl::StrAppend(&text, "decided by float32: ", evaluation.decided_by_float32,
                  ", by float64: ", evaluation.decided_by_float64,
                  ", by exact integers: ", evaluation.decided_by_exact, "\n");
  if (evaluation.stages_disagreed > 0) {
    absl::StrAppend(&text, "WARNING: float32 and float64 proved different classes for ",
                    evaluation.stages_disagreed, " samples; their radius is 0\n");
  }
  return absl::StrCat(text, ClassTable(evaluation, class_labels),
                      ConfusionTable(evaluation, class_labels));
}

}  // namespace lipserve::trainer
