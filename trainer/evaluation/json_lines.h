// SPDX-License-Identifier: Apache-2.0
// Output for programs: one JSON object per line on stdout, and metrics.json.
#ifndef TRAINER_EVALUATION_JSON_LINES_H_
#define TRAINER_EVALUATION_JSON_LINES_H_

#include <nlohmann/json.hpp>
#include <string>

#include "lipserve/v1/checkpoint.pb.h"
#include "trainer/evaluation/evaluation.h"

namespace lipserve::trainer {

// Keeps the order in which fields are set.
using Json = nlohmann::ordered_json;

// {"epoch": 1, "loss": ..., "val_loss": ...}
Json ToJson(const v1::EpochRecord& record);

// {"samples": ..., "accuracy": ..., "certified_accuracy": [{"epsilon": ..., "accuracy": ...}], ...}
Json ToJson(const Evaluation& evaluation);

// One line without line breaks; bytes that are not UTF-8 are replaced, so that it never fails.
std::string ToLine(const Json& json);

}  // namespace lipserve::trainer

#endif  // TRAINER_EVALUATION_JSON_LINES_H_
