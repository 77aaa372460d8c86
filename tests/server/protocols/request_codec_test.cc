// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cfenv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "model/network/pixel_scaling.h"
#include "server/protocols/classifier_codec.h"
#include "tests/server/small_model.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kMaxImages = 8;

Answer SomeAnswer() {
  Answer answer;
  answer.class_index = 2;
  answer.scores = {0.5F, -1.0F, 3.25F};
  answer.margin_lower_bound = 2.5;
  answer.radius_l2 = 1.25;
  answer.decided_by = DecidedBy::kFloat64;
  return answer;
}

class RequestCodecTest : public ::testing::Test {
 protected:
  static v1::ClassifyRequest Fp32Request(const std::vector<float>& inputs,
                                         const std::vector<std::int64_t>& shape) {
    v1::ClassifyRequest request;
    request.mutable_images()->set_element_type(v1::ELEMENT_TYPE_FP32);
    request.mutable_images()->mutable_shape()->Assign(shape.begin(), shape.end());
    request.mutable_images()->mutable_data()->assign(reinterpret_cast<const char*>(inputs.data()),
                                                     inputs.size() * sizeof(float));
    return request;
  }

  static v1::ClassifyRequest GoodRequest() { return Fp32Request(RandomInputs(7, 2), {2, 1, 4, 4}); }

  absl::Status Decode(const v1::ClassifyRequest& request) {
    return DecodeClassifyRequest(request, model(), kMaxImages, images_);
  }

  // The message with which `request` is refused.
  std::string Refusal(const v1::ClassifyRequest& request) {
    const absl::Status status = Decode(request);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  }

  const ServedModel& model() const { return *served_.model; }

  const SmallServedModel served_;
  DecodedImages images_;
};

TEST_F(RequestCodecTest, APriorityOfZeroIsTheModelsOwn) {
  v1::ClassifyRequest request = Fp32Request(RandomInputs(3, 1), {1, 1, 4, 4});
  ASSERT_TRUE(Decode(request).ok());
  EXPECT_EQ(images_.priority, 3);
  served_.model->SetQueueLimits(10, 5);
  ASSERT_TRUE(Decode(request).ok());
  EXPECT_EQ(images_.priority, 5);
  request.set_priority(1);
  ASSERT_TRUE(Decode(request).ok());
  EXPECT_EQ(images_.priority, 1);
}

TEST_F(RequestCodecTest, DecodesFp32BitForBit) {
  const std::vector<float> inputs = RandomInputs(3, 2);
  ASSERT_TRUE(Decode(Fp32Request(inputs, {2, 1, 4, 4})).ok());
  EXPECT_EQ(images_.inputs, inputs);
  EXPECT_EQ(images_.num_images, 2U);
  EXPECT_EQ(images_.element_type, ElementType::kFp32);
}

TEST_F(RequestCodecTest, DecodesUint8ThroughTheModelsTable) {
  v1::ClassifyRequest request = GoodRequest();
  std::string pixels(2 * kSmallInputSize, '\0');
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<char>(255 - 8 * i);
  request.mutable_images()->set_element_type(v1::ELEMENT_TYPE_UINT8);
  request.mutable_images()->set_data(pixels);
  ASSERT_TRUE(Decode(request).ok());
  EXPECT_EQ(images_.element_type, ElementType::kUint8);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    ASSERT_EQ(images_.inputs[i],
              (*model().pixel_scaling())[static_cast<std::uint8_t>(255 - 8 * i)]);
  }
}

TEST_F(RequestCodecTest, RefusesPixelsIfTheModelDoesNotSayWhatTheyMean) {
  FrozenModel frozen = SmallModel(1);
  frozen.pixel_divisor = 0.0;
  const SmallServedModel without(std::move(frozen), "small", 1);
  v1::ClassifyRequest request = GoodRequest();
  EXPECT_TRUE(DecodeClassifyRequest(request, *without.model, kMaxImages, images_).ok());
  request.mutable_images()->set_element_type(v1::ELEMENT_TYPE_UINT8);
  request.mutable_images()->set_data(std::string(2 * kSmallInputSize, '\1'));
  EXPECT_THAT(
      std::string(DecodeClassifyRequest(request, *without.model, kMaxImages, images_).message()),
      HasSubstr("images.data: expected FP32 numbers, got UINT8 pixels"));
}

TEST_F(RequestCodecTest, TakesFlatImages) {
  EXPECT_TRUE(Decode(Fp32Request(RandomInputs(3, 3), {3, 16})).ok());
  EXPECT_EQ(images_.num_images, 3U);
}

TEST_F(RequestCodecTest, ForgetsThePreviousRequest) {
  v1::ClassifyRequest request = GoodRequest();
  request.set_epsilon(0.5);
  request.set_radius_precision(v1::RADIUS_PRECISION_FAST);
  ASSERT_TRUE(Decode(request).ok());
  ASSERT_TRUE(Decode(Fp32Request(RandomInputs(3, 1), {1, 16})).ok());
  EXPECT_FALSE(images_.epsilon.has_value());
  EXPECT_EQ(images_.precision, RadiusPrecision::kTight);
  EXPECT_EQ(images_.inputs.size(), kSmallInputSize);
}

TEST_F(RequestCodecTest, TakesTightAsTheDefaultPrecisionAndEchoesWhatWasUsed) {
  const std::vector<std::pair<v1::RadiusPrecision, v1::RadiusPrecision>> asked_and_used = {
      {v1::RADIUS_PRECISION_UNSPECIFIED, v1::RADIUS_PRECISION_TIGHT},
      {v1::RADIUS_PRECISION_TIGHT, v1::RADIUS_PRECISION_TIGHT},
      {v1::RADIUS_PRECISION_FAST, v1::RADIUS_PRECISION_FAST}};
  for (const auto& [asked, used] : asked_and_used) {
    v1::ClassifyRequest request = Fp32Request(RandomInputs(3, 1), {1, 16});
    request.set_radius_precision(asked);
    ASSERT_TRUE(Decode(request).ok());
    EXPECT_EQ(images_.precision == RadiusPrecision::kFast, used == v1::RADIUS_PRECISION_FAST);
    v1::ClassifyResponse response;
    const Answer answer = SomeAnswer();
    EncodeClassifyResponse(request, images_, model(), {&answer, 1}, response);
    EXPECT_EQ(response.radius_precision(), used);
  }
}

TEST_F(RequestCodecTest, RefusesUnknownPrecisions) {
  for (const int unknown : {3, 77, -1}) {
    v1::ClassifyRequest request = GoodRequest();
    request.set_radius_precision(static_cast<v1::RadiusPrecision>(unknown));
    EXPECT_THAT(Refusal(request),
                AllOf(HasSubstr("radius_precision: expected RADIUS_PRECISION_TIGHT"),
                      HasSubstr("unknown value " + std::to_string(unknown))));
  }
}

TEST_F(RequestCodecTest, RefusesMissingImages) {
  EXPECT_THAT(Refusal(v1::ClassifyRequest()), HasSubstr("images: expected a batch"));
}

TEST_F(RequestCodecTest, RefusesMissingAndUnknownElementTypes) {
  v1::ClassifyRequest request = GoodRequest();
  request.mutable_images()->clear_element_type();
  EXPECT_THAT(Refusal(request), AllOf(HasSubstr("element_type"), HasSubstr("got none")));
  request.mutable_images()->set_element_type(static_cast<v1::ElementType>(77));
  EXPECT_THAT(Refusal(request), AllOf(HasSubstr("element_type"), HasSubstr("77")));
}

TEST_F(RequestCodecTest, RefusesEveryWrongShapeSayingExpectedAndGot) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::vector<std::int64_t>> shapes = {{},
                                                         {2},
                                                         {2, 15},
                                                         {2, 4, 4},
                                                         {2, 4, 4, 1},
                                                         {0, 16},
                                                         {-1, 16},
                                                         {-2, 1, -4, 4},
                                                         {2, 1, -4, -4},
                                                         {2, 1, 4, 4, 1},
                                                         {2, kHuge},
                                                         {kHuge, 1, 4},
                                                         {2, 2, 4, 4},
                                                         {2, 1, 5, 4},
                                                         {2, 1, 4, 5},
                                                         {2, kHuge, 4, 4}};
  for (const std::vector<std::int64_t>& shape : shapes) {
    EXPECT_THAT(
        Refusal(Fp32Request(RandomInputs(7, 2), shape)),
        AllOf(HasSubstr("images.shape: expected [N, 1, 4, 4] or [N, 16]"), HasSubstr("got [")));
  }
}

TEST_F(RequestCodecTest, ShowsOnlyTheStartOfAVeryLongShape) {
  const std::string message =
      Refusal(Fp32Request({}, std::vector<std::int64_t>(std::size_t{1} << 20, 1)));
  EXPECT_THAT(message, HasSubstr("of rank 1048576"));
  EXPECT_LT(message.size(), 300U);
}

TEST_F(RequestCodecTest, RefusesTooManyImagesEvenIfTheirBytesWouldOverflow) {
  EXPECT_THAT(Refusal(Fp32Request(RandomInputs(1, 9), {9, 16})),
              AllOf(HasSubstr("at most 8 images"), HasSubstr("got 9")));
  EXPECT_THAT(Refusal(Fp32Request({}, {std::numeric_limits<std::int64_t>::max(), 16})),
              HasSubstr("at most 8 images"));
  EXPECT_TRUE(Decode(Fp32Request(RandomInputs(1, 8), {8, 16})).ok());
}

TEST_F(RequestCodecTest, RefusesAByteTooFewAndAByteTooMany) {
  v1::ClassifyRequest request = GoodRequest();
  request.mutable_images()->mutable_data()->pop_back();
  EXPECT_THAT(Refusal(request), AllOf(HasSubstr("expected 128 bytes"), HasSubstr("got 127")));
  request.mutable_images()->mutable_data()->append("ab");
  EXPECT_THAT(Refusal(request), AllOf(HasSubstr("expected 128 bytes"), HasSubstr("got 129")));
  request.mutable_images()->set_element_type(v1::ELEMENT_TYPE_UINT8);
  EXPECT_THAT(Refusal(request), AllOf(HasSubstr("expected 32 bytes"), HasSubstr("got 129")));
}

TEST_F(RequestCodecTest, RefusesNonFiniteValuesNamingThePosition) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<std::pair<float, std::string>> values = {
      {std::nanf(""), "NaN"}, {-std::nanf(""), "NaN"}, {kInfinity, "+inf"}, {-kInfinity, "-inf"}};
  for (const auto& [value, name] : values) {
    for (const std::size_t place : {std::size_t{0}, std::size_t{5}, std::size_t{31}}) {
      std::vector<float> inputs = RandomInputs(7, 2);
      inputs[place] = value;
      EXPECT_THAT(
          Refusal(Fp32Request(inputs, {2, 16})),
          AllOf(HasSubstr("got " + name), HasSubstr("element " + std::to_string(place % 16) +
                                                    " of image " + std::to_string(place / 16))));
    }
  }
}

TEST_F(RequestCodecTest, TakesTheLargestAndTheSmallestFiniteNumbers) {
  std::vector<float> inputs(kSmallInputSize, std::numeric_limits<float>::max());
  inputs[1] = std::numeric_limits<float>::lowest();
  inputs[2] = std::numeric_limits<float>::denorm_min();
  inputs[3] = -0.0F;
  EXPECT_TRUE(Decode(Fp32Request(inputs, {1, 16})).ok());
}

TEST_F(RequestCodecTest, RefusesEpsilonsThatAreNoRadius) {
  for (const double epsilon : {-1e-300, std::nan(""), std::numeric_limits<double>::infinity()}) {
    v1::ClassifyRequest request = GoodRequest();
    request.set_epsilon(epsilon);
    EXPECT_THAT(Refusal(request), HasSubstr("epsilon: expected a finite L2 radius"));
  }
}

TEST_F(RequestCodecTest, RefusesALongRequestId) {
  v1::ClassifyRequest request = GoodRequest();
  request.set_request_id(std::string(129, 'x'));
  EXPECT_THAT(Refusal(request), AllOf(HasSubstr("at most 128 bytes"), HasSubstr("got 129")));
  request.set_request_id(std::string(128, 'x'));
  EXPECT_TRUE(Decode(request).ok());
}

TEST_F(RequestCodecTest, AnswersInTheUnitOfFloatImages) {
  v1::ClassifyRequest request = Fp32Request(RandomInputs(7, 1), {1, 16});
  request.set_request_id("id-1");
  ASSERT_TRUE(Decode(request).ok());
  v1::ClassifyResponse response;
  const Answer answer = SomeAnswer();
  EncodeClassifyResponse(request, images_, model(), {&answer, 1}, response);

  EXPECT_EQ(response.request_id(), "id-1");
  EXPECT_EQ(response.radius_unit(), v1::RADIUS_UNIT_INPUT);
  EXPECT_EQ(response.model().name(), "small");
  EXPECT_EQ(response.model().version(), 1);
  ASSERT_EQ(response.classifications_size(), 1);
  const v1::Classification& got = response.classifications(0);
  EXPECT_EQ(got.class_index(), 2);
  EXPECT_EQ(got.label(), "class 2");
  EXPECT_THAT(got.scores(), ElementsAre(0.5F, -1.0F, 3.25F));
  EXPECT_EQ(got.margin(), 2.5);
  EXPECT_EQ(got.certified_radius_l2(), 1.25);
  EXPECT_EQ(got.decided_by(), v1::DECISION_STAGE_FLOAT64);
  EXPECT_FALSE(got.has_certified_at_epsilon());
  EXPECT_FALSE(got.has_certified_pixel_radius_squared());
}

TEST_F(RequestCodecTest, ConvertsTheRadiusOfPixelImagesAndComparesEpsilonWithIt) {
  v1::ClassifyRequest request = Fp32Request({}, {1, 16});
  request.mutable_images()->set_element_type(v1::ELEMENT_TYPE_UINT8);
  request.mutable_images()->set_data(std::string(16, '\x10'));
  const double pixel_radius = model().pixel_scaling()->PixelRadius(1.25);
  v1::ClassifyResponse response;
  const Answer answer = SomeAnswer();
  for (const double epsilon : {1.25, pixel_radius, std::nextafter(pixel_radius, 1e9)}) {
    request.set_epsilon(epsilon);
    ASSERT_TRUE(Decode(request).ok());
    EncodeClassifyResponse(request, images_, model(), {&answer, 1}, response);
    EXPECT_EQ(response.radius_unit(), v1::RADIUS_UNIT_PIXEL);
    const v1::Classification& got = response.classifications(0);
    EXPECT_EQ(got.certified_radius_l2(), pixel_radius);
    EXPECT_TRUE(got.has_certified_at_epsilon());
    EXPECT_EQ(got.certified_at_epsilon(), epsilon <= pixel_radius);
    EXPECT_EQ(got.certified_pixel_radius_squared(), SquaredRadiusDown(pixel_radius));
  }
  EXPECT_GT(pixel_radius, 300.0);
}

TEST_F(RequestCodecTest, CertifiesNothingOfAnAnswerWhoseStagesDisagreed) {
  Answer answer = SomeAnswer();
  answer.stages_disagreed = true;  // and a radius that nobody should believe
  for (const v1::ElementType type : {v1::ELEMENT_TYPE_UINT8, v1::ELEMENT_TYPE_FP32}) {
    v1::ClassifyRequest request = Fp32Request(RandomInputs(7, 1), {1, 16});
    request.mutable_images()->set_element_type(type);
    if (type == v1::ELEMENT_TYPE_UINT8) request.mutable_images()->mutable_data()->resize(16);
    request.set_epsilon(0.0);
    ASSERT_TRUE(Decode(request).ok());
    v1::ClassifyResponse response;
    EncodeClassifyResponse(request, images_, model(), {&answer, 1}, response);
    const v1::Classification& got = response.classifications(0);
    EXPECT_EQ(got.certified_radius_l2(), 0.0);
    EXPECT_EQ(got.certified_pixel_radius_squared(), 0U);
    EXPECT_EQ(got.margin(), 0.0);
    EXPECT_FALSE(got.certified_at_epsilon());
  }
}

TEST_F(RequestCodecTest, ARadiusOfZeroIsCertifiedAtNoEpsilon) {
  v1::ClassifyRequest request = GoodRequest();
  request.set_epsilon(0.0);
  ASSERT_TRUE(Decode(request).ok());
  std::vector<Answer> answers(2, SomeAnswer());
  answers[0].radius_l2 = 0.0;
  v1::ClassifyResponse response;
  EncodeClassifyResponse(request, images_, model(), answers, response);
  EXPECT_FALSE(response.classifications(0).certified_at_epsilon());
  EXPECT_TRUE(response.classifications(1).certified_at_epsilon());
}

// A library may have left another rounding mode or flushing in the thread that answers.
TEST_F(RequestCodecTest, NoFloatingPointEnvironmentChangesARadius) {
  v1::ClassifyRequest request = Fp32Request(RandomInputs(7, 1), {1, 16});
  request.mutable_images()->set_element_type(v1::ELEMENT_TYPE_UINT8);
  request.mutable_images()->mutable_data()->resize(16);
  ASSERT_TRUE(Decode(request).ok());
  Answer answer = SomeAnswer();
  for (const double radius : {0.7, 1.25, 1e-310}) {
    answer.radius_l2 = radius;
    v1::ClassifyResponse usual;
    EncodeClassifyResponse(request, images_, model(), {&answer, 1}, usual);
    for (const int rounding : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
      std::fesetround(rounding);
      v1::ClassifyResponse response;
      EncodeClassifyResponse(request, images_, model(), {&answer, 1}, response);
      std::fesetround(FE_TONEAREST);
      EXPECT_EQ(response.SerializeAsString(), usual.SerializeAsString()) << rounding;
    }
  }
}

TEST_F(RequestCodecTest, AReusedResponseIsThatOfAFreshOne) {
  v1::ClassifyRequest request = GoodRequest();
  request.set_epsilon(0.1);
  request.set_request_id("first");
  ASSERT_TRUE(Decode(request).ok());
  std::vector<Answer> two(2, SomeAnswer());
  v1::ClassifyResponse reused;
  EncodeClassifyResponse(request, images_, model(), two, reused);

  const v1::ClassifyRequest next = Fp32Request(RandomInputs(7, 1), {1, 16});
  ASSERT_TRUE(Decode(next).ok());
  Answer answer;
  answer.scores = {1.0F};
  EncodeClassifyResponse(next, images_, model(), {&answer, 1}, reused);
  v1::ClassifyResponse fresh;
  EncodeClassifyResponse(next, images_, model(), {&answer, 1}, fresh);
  EXPECT_EQ(reused.SerializeAsString(), fresh.SerializeAsString());
}

TEST_F(RequestCodecTest, DescribesTheModelAsItWasProven) {
  v1::DescribeModelResponse response;
  EncodeModelDescription(model(), kMaxImages, response);
  EXPECT_THAT(response.input_shape(), ElementsAre(1, 4, 4));
  EXPECT_THAT(response.class_labels(), ElementsAre("class 0", "class 1", "class 2"));
  ASSERT_EQ(response.layers_size(), 4);
  EXPECT_THAT(response.layers(1).description(), HasSubstr("16 -> 8"));
  EXPECT_EQ(response.layers(1).lipschitz_bound(), model().certified().layer_lipschitz_bounds()[1]);
  EXPECT_EQ(response.lipschitz_bound(), model().certified().lipschitz_bound());
  EXPECT_EQ(response.max_images_per_call(), 8);
}

}  // namespace
}  // namespace lipserve
