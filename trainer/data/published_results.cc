// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/published_results.h"

#include <string_view>

namespace lipserve::trainer {

extern const std::string_view kPublishedResultsJson;  // embedded by CMakeLists.txt

namespace {

nlohmann::ordered_json All() { return nlohmann::ordered_json::parse(kPublishedResultsJson); }

}  // namespace

nlohmann::ordered_json PublishedResults(const std::string& dataset) {
  const nlohmann::ordered_json all = All();
  return all.contains(dataset) ? all[dataset] : nlohmann::ordered_json();
}

std::vector<std::string> PublishedDatasets() {
  std::vector<std::string> names;
  const nlohmann::ordered_json all = All();
  for (const auto& [name, results] : all.items()) names.push_back(name);
  return names;
}

}  // namespace lipserve::trainer
