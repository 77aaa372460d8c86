// SPDX-License-Identifier: Apache-2.0
#include "trainer/report/published_results.h"

#include "trainer/report/embedded_files.h"

namespace lipserve::trainer {

Json PublishedResults(const std::string& dataset) {
  const Json all = Json::parse(kPublishedResultsJson);
  return all.contains(dataset) ? all[dataset] : Json();
}

std::vector<std::string> PublishedDatasets() {
  std::vector<std::string> names;
  const Json all = Json::parse(kPublishedResultsJson);
  for (const auto& [name, results] : all.items()) names.push_back(name);
  return names;
}

}  // namespace lipserve::trainer
