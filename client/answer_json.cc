// SPDX-License-Identifier: Apache-2.0
#include "client/answer_json.h"

#include <cassert>
#include <cmath>
#include <cstdint>
#include <vector>

#include "client/directed_decimal.h"
#include "nlohmann/json.hpp"

namespace lipserve {
namespace {

const char* UnitName(v1::RadiusUnit unit) {
  return unit == v1::RADIUS_UNIT_PIXEL ? "pixel" : "input";
}

// What may be claimed of a number that a server calls proven: not NaN, not infinite, not negative.
double Claimable(double proven) {
  return std::isfinite(proven) && proven > 0.0 ? TwelveDigitsRoundedDown(proven) : 0.0;
}

const char* StageName(v1::DecisionStage stage) {
  switch (stage) {
    case v1::DECISION_STAGE_FLOAT32:
      return "float32";
    case v1::DECISION_STAGE_FLOAT64:
      return "float64";
    case v1::DECISION_STAGE_EXACT:
      return "exact";
    default:
      return "unknown";
  }
}

// The largest k from 0 to 255 with pixels * k^2 <= squared: in integers, so exactly.
std::uint64_t LinfRadius(std::uint64_t squared, std::size_t pixels) {
  constexpr std::uint64_t kLargestChange = 255;
  std::uint64_t k = 0;
  while (k < kLargestChange && (k + 1) * (k + 1) <= squared / pixels) ++k;
  return k;
}

}  // namespace

std::string AnswerJson(const AnswerReport& report, std::size_t index) {
  assert(index < report.images.size());
  const AnsweredImage& image = report.images[index];
  const v1::Classification& answer = image.answer;
  nlohmann::ordered_json json;
  json["source"] = image.origin.file;
  json["index"] = image.origin.index;
  json["class"] = answer.class_index();
  json["label"] = answer.label();
  json["scores"] = std::vector<float>(answer.scores().begin(), answer.scores().end());
  json["margin"] = Claimable(answer.margin());
  json["radius_l2"] = Claimable(answer.certified_radius_l2());
  json["radius_l2_hex"] = HexFloat(answer.certified_radius_l2());
  json["radius_unit"] = UnitName(report.unit);
  if (report.unit == v1::RADIUS_UNIT_PIXEL) {
    json["pixel_radius_squared"] = answer.certified_pixel_radius_squared();
    json["pixel_radius_linf"] =
        LinfRadius(answer.certified_pixel_radius_squared(), report.numbers_per_image);
  }
  json["radius_precision"] = PrecisionText(report.precision);
  json["decided_by"] = StageName(answer.decided_by());
  if (report.epsilon.has_value()) {
    json["epsilon"] = *report.epsilon;
    json["certified_at_epsilon"] = answer.certified_at_epsilon();
  }
  if (image.origin.label.has_value()) json["true_label"] = *image.origin.label;
  if (const auto right = image.is_right(); right.has_value()) json["right"] = *right;
  json["model"] = report.model.name();
  json["model_version"] = report.model.version();
  json["digest_sha256"] = DigestHex(report.model);
  // A file name or label that is not UTF-8 must not throw.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace lipserve
