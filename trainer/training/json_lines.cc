// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/json_lines.h"

namespace lipserve::trainer {

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
  json["certified_accuracy"] = Json::array();
  for (const CertifiedAccuracy& certified : evaluation.certified) {
    json["certified_accuracy"].push_back(
        {{"epsilon", certified.epsilon}, {"accuracy", certified.accuracy}});
  }
  json["mean_radius_l2"] = evaluation.mean_radius_l2;
  json["median_radius_l2"] = evaluation.median_radius_l2;
  json["lipschitz_bound"] = evaluation.lipschitz_bound;
  json["confusion"] = evaluation.confusion;
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
