// SPDX-License-Identifier: Apache-2.0
#include "client/verify/verify_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "client/certificate_file.h"
#include "model/certified_model.h"
#include "model/network/pixel_scaling.h"
#include "model/network/sealed_file.h"
#include "nlohmann/json.hpp"
#include "tests/proto/idx_bytes.h"
#include "tests/verify/convolutional_network.h"
#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::ordered_json;

constexpr std::size_t kInputs = 12;
constexpr std::size_t kImages = 12;  // more than are complained about one by one

// A model folder, images, and the certificate file that a client would write for them.
class VerifyCommandTest : public ::testing::Test {
 protected:
  VerifyCommandTest() {
    EXPECT_TRUE(WriteModelFile(model_, frozen_).ok());
    const auto served = CertifiedModel::Create(frozen_, kImages).value();
    const PixelScaling scaling(255.0);
    std::mt19937_64 random(3);
    std::vector<float> inputs;
    for (std::size_t k = 0; k < kImages * kInputs; ++k) {
      pixels_.push_back(static_cast<std::uint8_t>(random() % 256));
      inputs.push_back(scaling[pixels_.back()]);
    }
    answers_.resize(kImages);
    const auto worker = served->NewWorker();
    served->Classify({inputs.data(), kImages, kInputs}, *worker, answers_);
    for (lipserve::Answer& answer : answers_) {
      answer.radius_l2 = scaling.PixelRadius(answer.radius_l2);
    }
    WriteBytes(images_, IdxBytes({kImages, 1, kInputs}, pixels_));
  }

  Json CertificateOf() const {
    ImageSet images{v1::ELEMENT_TYPE_UINT8, {1, 1, kInputs}, {pixels_.begin(), pixels_.end()}, {}};
    images.origins.resize(kImages);
    v1::ClassifyResponse response;
    response.mutable_model()->set_digest_sha256(frozen_.digest);
    response.set_radius_unit(v1::RADIUS_UNIT_PIXEL);
    for (const lipserve::Answer& answer : answers_) {
      v1::Classification& out = *response.add_classifications();
      out.set_class_index(static_cast<std::int32_t>(answer.class_index));
      out.set_label(frozen_.class_labels[answer.class_index]);
      out.set_certified_radius_l2(answer.radius_l2);
      out.set_certified_pixel_radius_squared(SquaredRadiusDown(answer.radius_l2));
      out.set_margin(answer.margin_lower_bound);
    }
    return Json::parse(CertificateJson(images, response));
  }

  // Verifies the certificate; gives the error's text.
  std::string Verify(const Json& certificate, bool json = false) {
    WriteBytes(certificate_, certificate.dump());
    return Run(
        {.model = model_, .certificate = certificate_, .from_flags = std::nullopt, .json = json});
  }

  std::string Run(const VerifyFlags& flags) {
    out_.str("");
    complaints_.str("");
    const absl::Status status = RunVerify(flags, out_, complaints_);
    return status.ok() ? "" : std::string(status.message());
  }

  // The error for image 3 with this class and radius.
  std::string Tell(std::size_t class_index, const std::string& radius) {
    return Run({.model = model_,
                .certificate = "",
                .from_flags = AnswerFromFlags{images_ + "[3]", class_index, radius}});
  }

  std::vector<Json> Lines() const {
    std::vector<Json> lines;
    std::istringstream text(out_.str());
    for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
    return lines;
  }

  TemporaryFolder folder_;
  std::string model_ = folder_.path("model.lip");
  std::string certificate_ = folder_.path("answers.json");
  std::string images_ = folder_.path("images-idx3-ubyte");
  FrozenModel frozen_ = ModelOf(RandomNetwork(4, {kInputs, 8, 3}));
  std::vector<std::uint8_t> pixels_;
  std::vector<lipserve::Answer> answers_;
  std::ostringstream out_;
  std::ostringstream complaints_;
};

TEST_F(VerifyCommandTest, AcceptsWhatWasServed) {
  EXPECT_EQ(Verify(CertificateOf()), "");
  EXPECT_THAT(out_.str(), HasSubstr("layer 1  dense 12 -> 8: operator norm proven"));
  EXPECT_THAT(out_.str(), HasSubstr("answers  12 of 12 hold"));
  EXPECT_EQ(complaints_.str(), "");
}

TEST_F(VerifyCommandTest, ProvesAModelAlsoFromItsFolder) {
  const std::string folder = std::filesystem::path(model_).parent_path();
  EXPECT_EQ(Run({.model = folder, .certificate = "", .from_flags = std::nullopt}), "");
  EXPECT_THAT(out_.str(), HasSubstr("layer 3  dense 8 -> 3: operator norm proven"));
}

TEST_F(VerifyCommandTest, RefusesAModelWhoseAnswersTakeTooLong) {
  VerifyFlags flags{.model = model_,
                    .certificate = "",
                    .from_flags = AnswerFromFlags{images_ + "[3]", 0, "0"},
                    .json = false,
                    .max_products = 100};
  EXPECT_THAT(Run(flags), AllOf(HasSubstr("model.lip: one answer of this model takes 1"),
                                HasSubstr("expected at most 100; --max-products 1")));
  flags.max_products = 1000;
  EXPECT_THAT(Run(flags), Not(HasSubstr("--max-products")));
  flags.max_products = 1;
  flags.from_flags.reset();
  EXPECT_EQ(Run(flags), "");  // the model alone
}

TEST_F(VerifyCommandTest, SaysWhichAnswerFailsAndWhy) {
  answers_[7].radius_l2 *= 1.0 + 1e-6;
  EXPECT_EQ(Verify(CertificateOf()), "1 of 12 answers are not proven");
  EXPECT_THAT(complaints_.str(), HasSubstr("answers.json: answer 7: class "));
  EXPECT_THAT(complaints_.str(), HasSubstr("radius: expected at most "));
  EXPECT_THAT(out_.str(), HasSubstr("answers  11 of 12 hold"));
}

TEST_F(VerifyCommandTest, RefusesEveryInflatedRadiusComplainingOfTheFirstTen) {
  for (auto& answer : answers_) answer.radius_l2 *= 1.0 + 1e-6;
  EXPECT_EQ(Verify(CertificateOf()), "12 of 12 answers are not proven");
  EXPECT_THAT(complaints_.str(), HasSubstr("answer 9: "));
  EXPECT_THAT(complaints_.str(), Not(HasSubstr("answer 10: ")));
  EXPECT_THAT(complaints_.str(), HasSubstr("... and more"));
}

TEST_F(VerifyCommandTest, RefusesEveryAnswerWhoseInputIsChanged) {
  Json certificate = CertificateOf();
  for (Json& answer : certificate["answers"]) {
    auto text = answer["data_base64"].get<std::string>();
    text[3] = text[3] == 'A' ? 'B' : 'A';
    answer["data_base64"] = text;
  }
  EXPECT_EQ(Verify(certificate), "12 of 12 answers are not proven");
  EXPECT_THAT(complaints_.str(), HasSubstr("answer 0: data_sha256: expected "));
}

TEST_F(VerifyCommandTest, RefusesAnswersOfAnotherModel) {
  Json certificate = CertificateOf();
  certificate["model"]["digest_sha256"] = std::string(64, '0');
  EXPECT_THAT(Verify(certificate), HasSubstr("model digest: expected "));
}

TEST_F(VerifyCommandTest, RefusesAModelWithAByteChanged) {
  std::string bytes = ReadWholeFile(model_, 1 << 20).value();
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  WriteBytes(model_, bytes);
  EXPECT_NE(Verify(CertificateOf()), "");
}

TEST_F(VerifyCommandTest, RefusesAModelWhoseBoundIsLowered) {
  std::get<DenseLayer>(frozen_.network.layers[1]).claimed_operator_norm_bound *= 1.0 - 1e-9;
  ASSERT_TRUE(WriteModelFile(model_, frozen_).ok());
  EXPECT_THAT(Verify(CertificateOf()), HasSubstr("model.lip: layer 1 (dense 12 -> 8): claimed"));
}

TEST_F(VerifyCommandTest, SaysTheSameInJson) {
  answers_[7].radius_l2 *= 1.0 + 1e-6;
  EXPECT_NE(Verify(CertificateOf(), /*json=*/true), "");
  const std::vector<Json> lines = Lines();
  ASSERT_EQ(lines.size(), 1 + kImages + 1);
  EXPECT_EQ(lines[0]["checked"], "model");
  EXPECT_EQ(lines[0]["digest_sha256"], ToHex(frozen_.digest));
  EXPECT_TRUE(lines[1 + 6]["holds"]);
  EXPECT_EQ(lines[1 + 7]["index"], 7);
  EXPECT_FALSE(lines[1 + 7]["holds"]);
  EXPECT_THAT(lines[1 + 7]["reason"].get<std::string>(), HasSubstr("radius: expected"));
  EXPECT_EQ(lines.back(), Json::parse(R"({"checked":"all","answers":12,"held":11,"holds":false})"));
  EXPECT_EQ(complaints_.str(), "");
}

TEST_F(VerifyCommandTest, ChecksAnAnswerToldInWords) {
  const std::size_t right = answers_[3].class_index;
  std::ostringstream radius;
  radius << std::hexfloat << answers_[3].radius_l2;
  EXPECT_EQ(Tell(right, radius.str()), "");
  radius.str("");
  radius << answers_[3].radius_l2 * (1.0 + 1e-6);
  EXPECT_NE(Tell(right, radius.str()), "");
  EXPECT_NE(Tell((right + 1) % 3, "0"), "");
  EXPECT_NE(Tell(3, "0"), "");
  EXPECT_THAT(Tell(right, "-1"), HasSubstr("--radius: expected a number"));
}

TEST_F(VerifyCommandTest, ReadsFloatsAndPositions) {
  const std::string floats = folder_.path("x.f32");
  WriteBytes(floats, BytesOf(std::vector<float>(2 * kInputs, 0.25F)));
  const auto read = [&](const std::string& input) {
    int accepted = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      accepted +=
          Run({.model = model_, .certificate = "", .from_flags = AnswerFromFlags{input, c, "0"}})
                  .empty()
              ? 1
              : 0;
    }
    return accepted;
  };
  EXPECT_EQ(read(floats), 1);  // one class is right
  EXPECT_EQ(read(floats + "[1]"), 1);
  EXPECT_EQ(read(floats + "[2]"), 0);
  EXPECT_EQ(read(images_ + "[11]"), 1);
  EXPECT_EQ(read(images_ + "[12]"), 0);
  EXPECT_EQ(read(images_ + "[-1]"), 0);
  EXPECT_EQ(read(images_ + "[]"), 0);
  EXPECT_EQ(read(folder_.path("none.f32")), 0);
  WriteBytes(floats, "123");
  EXPECT_EQ(read(floats), 0);
}

TEST_F(VerifyCommandTest, NamesEachLayerWhoseNormItProved) {
  frozen_ = ModelOf(ConvolutionalNetwork(1, true));
  ASSERT_TRUE(WriteModelFile(model_, frozen_).ok());
  EXPECT_EQ(Run({.model = model_, .certificate = "", .from_flags = std::nullopt}), "");
  for (const char* const line :
       {"layer 0  convolution [2, 4, 4] -> [4, 2, 4], 3x2, stride 2x1, dilation 1x2, zero padding, "
        "2 groups: operator norm proven to be at most ",
        "layer 2  convolution [4, 2, 4] -> [2, 2, 4], 2x3, reflect padding: operator norm proven",
        "layer 6  dense 4 -> 3: operator norm proven"}) {
    EXPECT_THAT(out_.str(), HasSubstr(line));
  }
  EXPECT_EQ(Run({.model = model_, .certificate = "", .from_flags = std::nullopt, .json = true}),
            "");
  const Json layers = Lines()[0]["layers"];
  ASSERT_EQ(layers.size(), 7U);
  EXPECT_TRUE(layers[2].contains("operator_norm_bound_hex"));
  EXPECT_FALSE(layers[4].contains("operator_norm_bound_hex"));
}

TEST_F(VerifyCommandTest, FailsOnFilesThatCannotBeRead) {
  EXPECT_THAT(Run({.model = folder_.path("none"), .certificate = "", .from_flags = std::nullopt}),
              HasSubstr("none: cannot open"));
  EXPECT_THAT(
      Run({.model = model_, .certificate = folder_.path("none"), .from_flags = std::nullopt}),
      HasSubstr("none: cannot open"));
}

TEST(PrintableTest, ReplacesWhatSteersATerminal) {
  EXPECT_EQ(Printable("a\x1b[31m\n\x7f\u00e9"), "a?[31m??\u00e9");
}

}  // namespace
}  // namespace lipserve::verify
