// SPDX-License-Identifier: Apache-2.0
// An evaluation as a table for people.
#ifndef TRAINER_CLI_EVALUATION_TABLE_H_
#define TRAINER_CLI_EVALUATION_TABLE_H_

#include <string>
#include <vector>

#include "trainer/evaluation/evaluation.h"

namespace lipserve::trainer {

// Accuracies, radii, classes, confusion matrix and how answers were decided, each line ended.
std::string EvaluationTable(const Evaluation& evaluation,
                            const std::vector<std::string>& class_labels);

}  // namespace lipserve::trainer

#endif  // TRAINER_CLI_EVALUATION_TABLE_H_
