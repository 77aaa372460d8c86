// SPDX-License-Identifier: Apache-2.0
// The spine: lipserve-train makes a model, lipserve-server serves it, the client library asks, and
// every answer is compared with what the model file means.
#include <cmath>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "client/answer_report.h"
#include "client/classifier_client.h"
#include "client/image_input.h"
#include "gtest/gtest.h"
#include "tests/integration/demo_fixture.h"
#include "tests/integration/reference_network.h"

namespace lipserve {
namespace {

constexpr double kEpsilon = 1.0;

class TrainServeClassifyTest : public DemoFixture {
 protected:
  void SetUp() override {
    DemoFixture::SetUp();
    if (HasFatalFailure()) return;
    client_ = std::make_unique<ClassifierClient>(
        ClientOptions{.address = service().grpc_address(), .timeout = absl::Seconds(60)});
    auto network = ReferenceNetwork::Read(service().model_path());
    ASSERT_TRUE(network.ok()) << network.status();
    network_ = std::make_unique<ReferenceNetwork>(*std::move(network));
  }

  v1::ClassifyResponse Classify(const ImageSet& images) {
    auto answers = client_->ClassifyInPieces(images.ToBatch(), {.epsilon = kEpsilon}, 200);
    EXPECT_TRUE(answers.ok()) << answers.status();
    return answers.ok() ? *std::move(answers) : v1::ClassifyResponse();
  }

  // Score of image `i`, which must be floats.
  double ReferenceScore(const ImageSet& images, int i) const {
    std::vector<float> input(kDigitShape.size());
    std::memcpy(input.data(),
                images.data.data() + static_cast<std::size_t>(i) * input.size() * sizeof(float),
                input.size() * sizeof(float));
    return network_->Scores(input).at(0);
  }

  std::unique_ptr<ClassifierClient> client_;
  std::unique_ptr<ReferenceNetwork> network_;
};

TEST_F(TrainServeClassifyTest, FloatAnswersAreWhatTheModelFileMeans) {
  const ImageSet images = ZerosAndEights(/*as_float=*/true);
  const v1::ClassifyResponse answers = Classify(images);
  ASSERT_EQ(answers.classifications_size(), 1954);
  EXPECT_EQ(answers.radius_unit(), v1::RADIUS_UNIT_INPUT);
  EXPECT_EQ(answers.model().digest_sha256(), network_->digest());
  const double lipschitz = network_->LipschitzConstant();
  for (int i = 0; i < answers.classifications_size(); ++i) {
    const v1::Classification& answer = answers.classifications(i);
    const double score = ReferenceScore(images, i);
    ASSERT_EQ(answer.class_index(), score >= 0.0 ? 0 : 1) << i;
    ASSERT_EQ(answer.label(), score >= 0.0 ? "0" : "8") << i;
    // A float64 score rounded to float32: half a unit in the last place, and float64's own error.
    ASSERT_NEAR(static_cast<double>(answer.scores(0)), score,
                std::abs(score) * std::ldexp(1.0, -24) + 1e-9)
        << i;
    // The two float64 passes agree to 1e-9 absolutely, the two norms to 1e-12 relatively.
    const double exact = std::abs(score) / lipschitz;
    ASSERT_LE(answer.certified_radius_l2(), exact * (1.0 + 1e-12) + 1e-9) << i;
    ASSERT_GE(answer.certified_radius_l2(), 0.999 * exact - 1e-9) << i;
    ASSERT_LE(answer.margin(), std::abs(score) + 1e-9) << i;
    ASSERT_EQ(answer.certified_at_epsilon(), answer.certified_radius_l2() >= kEpsilon) << i;
  }
}

TEST_F(TrainServeClassifyTest, PixelAnswersAreTheFloatAnswersInPixelUnits) {
  const ImageSet float_images = ZerosAndEights(/*as_float=*/true);
  const v1::ClassifyResponse floats = Classify(float_images);
  const v1::ClassifyResponse pixels = Classify(ZerosAndEights(/*as_float=*/false));
  EXPECT_EQ(pixels.radius_unit(), v1::RADIUS_UNIT_PIXEL);
  ASSERT_EQ(pixels.classifications_size(), floats.classifications_size());
  const double lipschitz = network_->LipschitzConstant();
  for (int i = 0; i < pixels.classifications_size(); ++i) {
    const v1::Classification& pixel = pixels.classifications(i);
    const v1::Classification& as_float = floats.classifications(i);
    ASSERT_EQ(pixel.class_index(), as_float.class_index()) << i;
    ASSERT_EQ(pixel.scores(0), as_float.scores(0)) << i;
    // The steepest step of the float32 scaling table is between 1/255 and (1 + 7.6e-6) / 255.
    const double exact = 255.0 * std::abs(ReferenceScore(float_images, i)) / lipschitz;
    ASSERT_LE(pixel.certified_radius_l2(), exact * (1.0 + 1e-12) + 1e-7) << i;
    ASSERT_LE(pixel.certified_radius_l2(), 255.0 * as_float.certified_radius_l2()) << i;
    ASSERT_GE(pixel.certified_radius_l2(), 255.0 * as_float.certified_radius_l2() * (1.0 - 1e-5))
        << i;
  }
}

TEST_F(TrainServeClassifyTest, OneEpochAlreadyTellsZerosFromEights) {
  const ImageSet images = ZerosAndEights(/*as_float=*/false);
  const auto model = client_->DescribeModel({});
  ASSERT_TRUE(model.ok()) << model.status();
  int right = 0;
  for (const AnsweredImage& image : MakeReport(*model, images, Classify(images), kEpsilon).images) {
    right += image.is_right().value_or(false) ? 1 : 0;
  }
  EXPECT_GE(right, 1954 * 95 / 100);
}

TEST_F(TrainServeClassifyTest, DescriptionBoundsTheModelFilesTrueConstant) {
  const auto model = client_->DescribeModel({.name = "mnist08", .version = 1});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->model().digest_sha256(), network_->digest());
  const double exact = network_->LipschitzConstant();
  EXPECT_GE(model->lipschitz_bound(), exact * (1.0 - 1e-12));
  EXPECT_LE(model->lipschitz_bound(), exact * 1.001);
  EXPECT_EQ(model->training().recipe().epochs(), 1);
}

TEST(ReferenceNetworkTest, LargestSingularValuesAreKnownOnes) {
  EXPECT_NEAR(LargestSingularValue({3.0, 0.0, 4.0, 5.0}, 2, 2), std::sqrt(45.0), 1e-13);
  EXPECT_NEAR(LargestSingularValue({1.0, 2.0, 2.0}, 1, 3), 3.0, 1e-14);
  EXPECT_NEAR(LargestSingularValue({1.0, 2.0, 2.0}, 3, 1), 3.0, 1e-14);
  EXPECT_EQ(LargestSingularValue({0.0, 0.0}, 1, 2), 0.0);
}

}  // namespace
}  // namespace lipserve
