// SPDX-License-Identifier: Apache-2.0
// Certified accuracies that papers report, by dataset: published_results.json, built into the
// program. L2, deterministic certificates, pixels in [0, 1]; epsilon 0 is plain accuracy.
#ifndef TRAINER_DATA_PUBLISHED_RESULTS_H_
#define TRAINER_DATA_PUBLISHED_RESULTS_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lipserve::trainer {

// {"title": ..., "points": [{"method", "epsilon", "accuracy", "source"}]} of a dataset, or null for
// a name that is not in the list.
nlohmann::ordered_json PublishedResults(const std::string& dataset);

// The names of the datasets, for recipes.
std::vector<std::string> PublishedDatasets();

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_PUBLISHED_RESULTS_H_
