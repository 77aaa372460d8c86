// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/json_lines.h"

#include <vector>

namespace lipserve::trainer {
namespace {

Json ToJson(const std::vector<CertifiedAccuracy>& certified) {
  Json json = Json::array();
  for (const CertifiedAccuracy& at : certified) {
    json.push_back({{"epsilon", at.epsilon}, {"accuracy", at.accuracy}});
  }
  return json;
}

Json ToJson(const EmpiricalEvaluation& empirical) {
  Json json;
  json["samples"] = empirical.samples;
  json["accuracy"] = Json::array();
  for (const EmpiricalAccuracy& at : empirical.accuracies) {
    json["accuracy"].push_back(
        {{"epsilon", at.epsilon}, {"certified", at.certified}, {"empirical", at.empirical}});
  }
  return json;
}

Json ToJson(const GeometricAccuracy& accuracy) {
  Json json;
  json["certified_accuracy"] = ToJson(accuracy.certified);
  json["mean_radius_l2"] = accuracy.mean_radius_l2;
  return json;
}

}  // namespace

Json ToJson(const v1::EpochRecord& record) {
  Json json;
  json["epoch"] = record.epoch();
  for (const v1::NamedValue& metric : record.metrics()) json[metric.name()] = metric.value();
  return json;
}

Json ToJson(const Evaluation& evaluation) {
  Json json;
  json["samples"] = evaluation.samples;
  json["accuracy"] = evaluation.accuracy;
  json["certified_accuracy"] = ToJson(evaluation.certified);
  json["mean_radius_l2"] = evaluation.mean_radius_l2;
  json["median_radius_l2"] = evaluation.median_radius_l2;
  json["lipschitz_bound"] = evaluation.lipschitz_bound;
  json["confusion"] = evaluation.confusion;
  json["classes"] = Json::array();
  for (const ClassEvaluation& of_class : evaluation.classes) {
    json["classes"].push_back({{"samples", of_class.samples},
                               {"accuracy", of_class.accuracy},
                               {"certified_accuracy", ToJson(of_class.certified)},
                               {"mean_radius_l2", of_class.mean_radius_l2},
                               {"median_radius_l2", of_class.median_radius_l2}});
  }
  if (evaluation.empirical.has_value()) json["attacks"] = ToJson(*evaluation.empirical);
  if (evaluation.geometric.has_value()) {
    json["geometry_any_input"] = ToJson(evaluation.geometric->any_input);
    json["geometry_inputs_in_unit_box"] = ToJson(evaluation.geometric->inputs_in_unit_box);
  }
  json["decided_by"] = {{"float32", evaluation.decided_by_float32},
                        {"float64", evaluation.decided_by_float64},
                        {"decided_by_exact", evaluation.decided_by_exact}};
  json["stages_disagreed"] = evaluation.stages_disagreed;
  return json;
}

std::string ToLine(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace lipserve::trainer
