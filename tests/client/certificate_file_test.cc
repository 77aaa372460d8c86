// SPDX-License-Identifier: Apache-2.0
#include "client/certificate_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>

#include "nlohmann/json.hpp"
#include "tests/client/sample_report.h"
#include "tests/client/test_files.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

nlohmann::json Record(const ImageSet& images, const v1::ClassifyResponse& response) {
  return nlohmann::json::parse(CertificateJson(images, response));
}

TEST(CertificateFileTest, RecordsEveryDigitOfRadiusAndMargin) {
  const double radius = std::nextafter(312.48, 0.0);
  const auto json = Record(SampleImages({0}), SampleResponse({{0, radius, true}}));
  const auto& answer = json["answers"][0];
  const auto value = [&](const char* key) {
    return std::strtod(answer[key].get<std::string>().c_str(), nullptr);
  };
  EXPECT_EQ(value("certified_radius_l2_hex"), radius);
  EXPECT_EQ(value("margin_hex"), 1.2499999);
  EXPECT_EQ(answer["radius_unit"], "PIXEL");
  EXPECT_EQ(answer["certified_pixel_radius_squared"], 97643);
  EXPECT_EQ(answer["class_index"], 0);
  EXPECT_EQ(answer["label"], "zero");
}

TEST(CertificateFileTest, FloatsHaveNoSquaredPixelRadius) {
  auto response = SampleResponse({{0, 1.5, true}});
  response.mutable_classifications(0)->clear_certified_pixel_radius_squared();
  response.set_radius_precision(v1::RADIUS_PRECISION_FAST);
  const auto json = Record(SampleImages({0}), response);
  EXPECT_TRUE(json["answers"][0]["certified_pixel_radius_squared"].is_null());
  EXPECT_EQ(json["radius_precision"], "FAST");
}

TEST(CertificateFileTest, RecordsWhichModelAnsweredWhichInput) {
  ImageSet images = SampleImages({0, 0});
  images.data[16] = 'x';
  const auto json = Record(images, SampleResponse({{0, 1.0, true}, {1, 2.0, true}}));
  EXPECT_EQ(json["format"], "lipserve.certificate");
  EXPECT_EQ(json["version"], 2);
  EXPECT_EQ(json["radius_precision"], "TIGHT");
  EXPECT_EQ(json["model"]["name"], "mnist08");
  EXPECT_EQ(json["model"]["version"], 3);
  EXPECT_THAT(json["model"]["digest_sha256"].get<std::string>(), HasSubstr("abababab"));
  ASSERT_EQ(json["answers"].size(), 2U);
  const auto& second = json["answers"][1];
  EXPECT_EQ(second["element_type"], "UINT8");
  EXPECT_EQ(second["shape"], nlohmann::json::array({1, 4, 4}));
  EXPECT_EQ(second["data_base64"], "eAAAAADIAAAAAAAAAAAAAA==");
  EXPECT_EQ(second["data_sha256"].get<std::string>().size(), 64U);
  EXPECT_NE(second["data_sha256"], json["answers"][0]["data_sha256"]);
}

TEST(CertificateFileTest, AFailureLeavesTheOldFile) {
  const TemporaryFolder folder;
  const std::string path = folder.path("answers.json");
  const auto response = SampleResponse({{0, 1.0, true}});
  ASSERT_TRUE(WriteCertificateFile(path, SampleImages({0}), response).ok());
  EXPECT_EQ(ReadBytes(path), CertificateJson(SampleImages({0}), response));
  const auto status =
      WriteCertificateFile(folder.path("none/answers.json"), SampleImages({0}), response);
  EXPECT_THAT(std::string(status.message()), HasSubstr("none/answers.json"));
}

}  // namespace
}  // namespace lipserve
