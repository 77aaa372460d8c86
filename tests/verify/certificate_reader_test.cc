// SPDX-License-Identifier: Apache-2.0
#include "client/verify/certificate_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client/certificate_file.h"
#include "nlohmann/json.hpp"
#include "tests/client/sample_report.h"
#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

std::string CertificateError(const std::string& text) {
  const auto certificate = ParseCertificate(text);
  return certificate.ok() ? "" : std::string(certificate.status().message());
}

// What lipserve-client writes for two images.
std::string Sample() {
  return CertificateJson(SampleImages({0, 0}),
                         SampleResponse({{0, 312.4799, true}, {1, 0.0, false}}));
}

Json SampleJson() { return Json::parse(Sample()); }

TEST(CertificateReaderTest, ReadsWhatTheClientWrites) {
  const auto certificate = ParseCertificate(Sample());
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  std::string digest;
  for (int k = 0; k < 32; ++k) digest += "ab";
  EXPECT_EQ(certificate->digest, digest);
  ASSERT_EQ(certificate->answers.size(), 2U);
  const RecordedAnswer& first = certificate->answers[0];
  EXPECT_EQ(first.answer.element_type, ElementType::kUint8);
  EXPECT_EQ(first.answer.data, SampleImages({0}).data);
  EXPECT_EQ(first.shape, (std::array<std::size_t, 3>{1, 4, 4}));
  EXPECT_EQ(first.answer.class_index, 0U);
  EXPECT_EQ(first.label, "zero");
  EXPECT_EQ(first.answer.radius, mpq_class(312.4799));
  EXPECT_EQ(*first.answer.pixel_radius_squared, 97643);
  EXPECT_EQ(*first.answer.margin, mpq_class(1.2499999));
  EXPECT_EQ(certificate->answers[1].answer.class_index, 1U);
  EXPECT_EQ(certificate->answers[1].answer.radius, 0);
}

TEST(CertificateReaderTest, RefusesEveryTruncation) {
  const std::string text = Sample();
  for (std::size_t size = 0; size + 2 < text.size(); ++size) {
    EXPECT_NE(CertificateError(text.substr(0, size)), "") << size;
  }
}

TEST(CertificateReaderTest, RefusesAnotherFormatOrVersion) {
  Json json = SampleJson();
  json["version"] = 1;
  EXPECT_THAT(CertificateError(json.dump()),
              HasSubstr("version: expected 2, got 1; record the answers"));
  json["format"] = "other";
  EXPECT_THAT(CertificateError(json.dump()), HasSubstr("format: expected"));
  for (const char* const text :
       {"[]", "1", "null", "{}", "\"lipserve.certificate\"", "{\"a\":", ""}) {
    EXPECT_NE(CertificateError(text), "") << text;
  }
}

TEST(CertificateReaderTest, RefusesMissingUnknownAndRepeatedKeys) {
  const Json sample = SampleJson();
  for (const auto& [key, value] : sample.items()) {
    Json json = sample;
    json.erase(key);
    EXPECT_NE(CertificateError(json.dump()), "") << key;
  }
  for (const auto& [key, value] : sample["answers"][1].items()) {
    Json json = sample;
    json["answers"][1].erase(key);
    EXPECT_THAT(CertificateError(json.dump()),
                HasSubstr("answer 1: expected a key \"" + key + "\""));
    json["answers"][1][key] = Json::array();  // and a value of the wrong type
    EXPECT_THAT(CertificateError(json.dump()), HasSubstr("answer 1: " + key + ": expected"));
  }
  Json json = sample;
  json["answers"][0]["radius"] = 1;
  EXPECT_THAT(CertificateError(json.dump()), HasSubstr("answer 0: expected no key \"radius\""));
  std::string twice = Sample();
  twice.insert(twice.find("\"class_index\""), "\"class_index\": 1, ");
  EXPECT_THAT(CertificateError(twice),
              HasSubstr("expected every key once, got \"class_index\" again"));
}

// Whoever walks through nested values by recursion needs a stack as deep as they are.
TEST(CertificateReaderTest, RefusesDeepNesting) {
  for (const char* const place : {"\"version\": 2", "\"class_index\": 1", "\"shape\": [",
                                  "\"certified_pixel_radius_squared\": ", "\"format\": "}) {
    for (const char* const open : {"[", "{\"a\":"}) {
      std::string text = Sample();
      const std::size_t at = text.find(':', text.find(std::string(place).substr(0, 5)));
      std::string nested;
      for (int k = 0; k < 100'000; ++k) nested += open;
      const std::string close = open[0] == '[' ? "]" : "}";
      nested += "1";
      for (int k = 0; k < 100'000; ++k) nested += close;
      text.insert(at + 1, nested + ", \"x\": ");
      EXPECT_THAT(CertificateError(text), HasSubstr("at most 4 levels")) << place << open;
    }
  }
}

TEST(CertificateReaderTest, ErrorsAreShortAndPrintable) {
  Json json = SampleJson();
  json["version"] = std::string(1'000'000, 'v') + "\x1b[2J";
  EXPECT_LT(CertificateError(json.dump()).size(), 200U);
  json["version"] = "\x1b[2J";
  EXPECT_THAT(CertificateError(json.dump()), HasSubstr("\\x1b[2J"));
  json = SampleJson();
  json["answers"][0]["element_type"] = std::string(1'000'000, 'v');
  EXPECT_LT(CertificateError(json.dump()).size(), 200U);
  json = SampleJson();
  json[std::string(1'000'000, 'k')] = 1;
  EXPECT_LT(CertificateError(json.dump()).size(), 200U);
}

TEST(CertificateReaderTest, RefusesValuesThatProveNothing) {
  const auto with = [](const char* key, const Json& value) {
    Json json = SampleJson();
    json["answers"][0][key] = value;
    return CertificateError(json.dump());
  };
  for (const char* const radius : {"nan", "inf", "-0x1p+0", "", "1.5x"}) {
    EXPECT_THAT(with("certified_radius_l2_hex", radius), HasSubstr("answer 0: certified_radius"));
    EXPECT_THAT(with("margin_hex", radius), HasSubstr("answer 0: margin_hex"));
  }
  EXPECT_THAT(with("class_index", -1), HasSubstr("class_index: expected an integer"));
  EXPECT_THAT(with("class_index", 0.5), HasSubstr("class_index: expected an integer"));
  EXPECT_THAT(with("class_index", "0"), HasSubstr("class_index: expected an integer"));
  EXPECT_THAT(with("element_type", "FP16"), HasSubstr("expected UINT8 or FP32, got \"FP16\""));
  EXPECT_THAT(with("radius_unit", "INPUT"), HasSubstr("radius_unit: expected PIXEL"));
  for (const Json& squared : {Json(-1), Json(97643.0), Json("97643"), Json(nullptr)}) {
    EXPECT_THAT(with("certified_pixel_radius_squared", squared),
                HasSubstr("certified_pixel_radius_squared: expected an integer"));
  }
  EXPECT_THAT(with("shape", Json::array({1, 4})), HasSubstr("shape: expected three numbers"));
  EXPECT_THAT(with("shape", Json::array({1, 4, -4})), HasSubstr("shape: expected an integer"));
  EXPECT_THAT(with("shape", Json::array({1, 4, 1 << 23})), HasSubstr("shape: expected at most"));
  EXPECT_THAT(with("data_base64", "*"), HasSubstr("data_base64: expected base64"));
  Json json = SampleJson();
  json["radius_precision"] = "EXACT";
  EXPECT_THAT(CertificateError(json.dump()),
              HasSubstr("radius_precision: expected TIGHT or FAST, got"));
  json = SampleJson();
  json["answers"] = Json::array();
  EXPECT_THAT(CertificateError(json.dump()),
              HasSubstr("answers: expected an array of at least one"));
}

TEST(CertificateReaderTest, OnlyPixelsHaveASquaredRadius) {
  Json json = SampleJson();
  Json& answer = json["answers"][0];
  answer["element_type"] = "FP32";
  answer["radius_unit"] = "INPUT";
  EXPECT_THAT(CertificateError(json.dump()),
              HasSubstr("certified_pixel_radius_squared: expected null for FP32, got 97643"));
  answer["certified_pixel_radius_squared"] = nullptr;
  const auto certificate = ParseCertificate(json.dump());
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  EXPECT_FALSE(certificate->answers[0].answer.pixel_radius_squared.has_value());
}

TEST(CertificateReaderTest, KeepsEveryBitOfTheLargestSquaredRadius) {
  Json json = SampleJson();
  json["answers"][0]["certified_pixel_radius_squared"] = 18446744073709551615ULL;
  const auto certificate = ParseCertificate(json.dump());
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  EXPECT_EQ(*certificate->answers[0].answer.pixel_radius_squared,
            mpz_class("18446744073709551615"));
}

TEST(CertificateReaderTest, ChecksShapeInputDigestAndLabelToo) {
  FrozenModel frozen = ModelOf(RandomNetwork(1, {6, 3}));
  const ProvenModel proven = Proven(frozen);
  RecordedAnswer recorded;
  recorded.answer.data = BytesOf(std::vector<float>(6, 0.0F));
  recorded.shape = {1, 1, 6};
  for (std::size_t k = 0; k < 3; ++k) {
    recorded.answer.class_index = k;
    if (CheckAnswer(proven, recorded.answer).ok()) break;
  }
  recorded.label = "class " + std::to_string(recorded.answer.class_index);
  recorded.data_digest = Sha256Hex(recorded.answer.data);
  EXPECT_TRUE(CheckRecordedAnswer(proven, recorded).ok());
  recorded.label = "other";
  EXPECT_THAT(std::string(CheckRecordedAnswer(proven, recorded).message()), HasSubstr("label"));
  recorded.shape = {1, 6, 1};
  EXPECT_THAT(std::string(CheckRecordedAnswer(proven, recorded).message()),
              HasSubstr("shape: expected [1, 1, 6], got [1, 6, 1]"));
  recorded.shape = {1, 1, 6};
  for (std::size_t k = 0; k < recorded.answer.data.size(); ++k) {
    RecordedAnswer changed = recorded;
    changed.answer.data[k] = static_cast<char>(changed.answer.data[k] ^ 1);
    EXPECT_THAT(std::string(CheckRecordedAnswer(proven, changed).message()),
                HasSubstr("data_sha256: expected "));
  }
}

}  // namespace
}  // namespace lipserve::verify
