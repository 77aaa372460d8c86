// SPDX-License-Identifier: Apache-2.0
#include "client/model_json.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "client/answer_report.h"
#include "client/directed_decimal.h"
#include "nlohmann/json.hpp"

namespace lipserve {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json) {
  // A name or label that is not UTF-8 must not throw.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json Identity(const v1::ModelIdentity& model) {
  return {{"model", model.name()},
          {"model_version", model.version()},
          {"digest_sha256", DigestHex(model)}};
}

// A bound that is not a finite number bounds nothing: null.
Json Bound(double bound) {
  if (!std::isfinite(bound)) return nullptr;
  return TwelveDigitsRoundedUp(std::max(0.0, bound));
}

Json RecipeJson(const v1::Recipe& recipe) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;  // seed 0 is a seed
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(recipe, &text, options).ok()) return nullptr;
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace

std::string ModelJson(const v1::DescribeModelResponse& model) {
  Json json = Identity(model.model());
  json["input_shape"] =
      std::vector<std::int64_t>(model.input_shape().begin(), model.input_shape().end());
  json["class_labels"] =
      std::vector<std::string>(model.class_labels().begin(), model.class_labels().end());
  json["layers"] = Json::array();
  for (const v1::LayerDescription& layer : model.layers()) {
    json["layers"].push_back({{"description", layer.description()},
                              {"lipschitz_bound", Bound(layer.lipschitz_bound())}});
  }
  json["lipschitz_bound"] = Bound(model.lipschitz_bound());
  json["max_images_per_call"] = model.max_images_per_call();
  json["trainer_version"] = model.training().trainer_version();
  json["results"] = Json::object();
  for (const v1::NamedValue& result : model.training().results()) {
    json["results"][result.name()] = result.value();
  }
  if (model.training().has_recipe()) json["recipe"] = RecipeJson(model.training().recipe());
  return Dump(json);
}

std::string IdentityJson(const v1::ModelIdentity& model) { return Dump(Identity(model)); }

std::string HealthJson(const std::string& address, const std::string& service,
                       const std::string& status) {
  return Dump({{"address", address}, {"service", service}, {"status", status}});
}

}  // namespace lipserve
