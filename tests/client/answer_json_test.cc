// SPDX-License-Identifier: Apache-2.0
#include "client/answer_json.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include "client/model_json.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/client/sample_report.h"

namespace lipserve {
namespace {

nlohmann::json Parsed(const AnswerReport& report, std::size_t index) {
  const std::string line = AnswerJson(report, index);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  return nlohmann::json::parse(line);
}

TEST(AnswerJsonTest, CarriesEveryPartOfTheAnswer) {
  const nlohmann::json json = Parsed(SampleReport(), 0);
  EXPECT_EQ(json["source"], "some/digits.gz");
  EXPECT_EQ(json["index"], 10);
  EXPECT_EQ(json["class"], 0);
  EXPECT_EQ(json["label"], "zero");
  EXPECT_EQ(json["scores"], nlohmann::json::array({1.25}));
  EXPECT_EQ(json["margin"], 1.24999989999);  // the double 1.2499999 is below that decimal
  EXPECT_EQ(json["radius_unit"], "pixel");
  EXPECT_EQ(json["pixel_radius_squared"], 97643);
  EXPECT_EQ(json["radius_precision"], "tight");
  EXPECT_EQ(json["decided_by"], "float32");
  EXPECT_EQ(json["epsilon"], 250.0);
  EXPECT_EQ(json["certified_at_epsilon"], true);
  EXPECT_EQ(json["true_label"], 0);
  EXPECT_EQ(json["right"], true);
  EXPECT_EQ(json["model"], "mnist08");
  EXPECT_EQ(json["model_version"], 3);
  EXPECT_EQ(json["digest_sha256"].get<std::string>().substr(0, 4), "abab");
  EXPECT_EQ(json["digest_sha256"].get<std::string>().size(), 64U);
}

TEST(AnswerJsonTest, RadiusIsExactInHexAndRoundedDownInDecimal) {
  AnswerReport report = SampleReport();
  const double radius = 312.0 + 1.0 / 3.0;
  report.images[0].answer.set_certified_radius_l2(radius);
  const nlohmann::json json = Parsed(report, 0);
  EXPECT_EQ(std::strtod(json["radius_l2_hex"].get<std::string>().c_str(), nullptr), radius);
  EXPECT_LT(json["radius_l2"].get<double>(), radius);
  EXPECT_GT(json["radius_l2"].get<double>(), radius * (1.0 - 1e-11));
}

// 16 pixels: every one may change by k if 16 k^2 <= R2.
TEST(AnswerJsonTest, TheLinfRadiusIsTheLargestThatTheSquaredRadiusProves) {
  AnswerReport report = SampleReport();
  const auto linf = [&](std::uint64_t squared) {
    report.images[0].answer.set_certified_pixel_radius_squared(squared);
    return Parsed(report, 0)["pixel_radius_linf"].get<int>();
  };
  EXPECT_EQ(linf(0), 0);
  EXPECT_EQ(linf(15), 0);
  EXPECT_EQ(linf(16), 1);
  EXPECT_EQ(linf(16 * 25 - 1), 4);
  EXPECT_EQ(linf(16 * 25), 5);
  EXPECT_EQ(linf(std::numeric_limits<std::uint64_t>::max()), 255);  // any image at all
}

TEST(AnswerJsonTest, FloatsHaveNoPixelRadii) {
  AnswerReport report = SampleReport();
  report.unit = v1::RADIUS_UNIT_INPUT;
  report.precision = v1::RADIUS_PRECISION_FAST;
  const nlohmann::json json = Parsed(report, 0);
  EXPECT_FALSE(json.contains("pixel_radius_squared"));
  EXPECT_FALSE(json.contains("pixel_radius_linf"));
  EXPECT_EQ(json["radius_precision"], "fast");
}

TEST(AnswerJsonTest, LeavesOutWhatWasNotAskedOrIsNotKnown) {
  const nlohmann::json unknown = Parsed(SampleReport(std::nullopt), 2);
  EXPECT_EQ(unknown["true_label"], 7);
  EXPECT_FALSE(unknown.contains("right"));
  EXPECT_FALSE(unknown.contains("epsilon"));
  EXPECT_FALSE(unknown.contains("certified_at_epsilon"));
}

TEST(AnswerJsonTest, ImpossibleRadiiAndForeignBytesClaimNothingAndBreakNothing) {
  AnswerReport report = SampleReport();
  report.images[0].answer.set_certified_radius_l2(std::numeric_limits<double>::quiet_NaN());
  report.images[0].origin.file = "caf\xe9.png";  // Latin-1, not UTF-8
  const nlohmann::json json = Parsed(report, 0);
  EXPECT_EQ(json["radius_l2"], 0.0);
}

TEST(ModelJsonTest, BoundsAreRoundedUpAndTheRecipeIsWhole) {
  v1::DescribeModelResponse model = SampleModel();
  const double bound = std::nextafter(1.0, 2.0);
  model.set_lipschitz_bound(bound);
  v1::LayerDescription& layer = *model.add_layers();
  layer.set_description("dense 16 -> 1");
  layer.set_lipschitz_bound(bound);
  v1::NamedValue& result = *model.mutable_training()->add_results();
  result.set_name("val_accuracy");
  result.set_value(0.9889);
  const nlohmann::json json = nlohmann::json::parse(ModelJson(model));
  EXPECT_GE(json["lipschitz_bound"].get<double>(), bound);
  EXPECT_GE(json["layers"][0]["lipschitz_bound"].get<double>(), bound);
  EXPECT_EQ(json["input_shape"], nlohmann::json::array({1, 4, 4}));
  EXPECT_EQ(json["class_labels"][1], "eight");
  EXPECT_EQ(json["results"]["val_accuracy"], 0.9889);
  EXPECT_EQ(json["recipe"]["dataset"]["classes"].size(), 2U);
  EXPECT_EQ(json["max_images_per_call"], 2);
}

}  // namespace
}  // namespace lipserve
