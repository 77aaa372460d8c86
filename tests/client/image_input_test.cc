// SPDX-License-Identifier: Apache-2.0
#include "client/image_input.h"

#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/test_files.h"

namespace lipserve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr ImageShape kShape = {1, 2, 3};

// Four images of 2x3 with pixels 0..23, and their labels 5, 0, 8, 0.
class ImageInputTest : public ::testing::Test {
 protected:
  ImageInputTest() {
    std::vector<std::uint8_t> pixels;
    for (std::uint8_t i = 0; i < 24; ++i) pixels.push_back(i);
    WriteBytes(images_, IdxBytes({4, 2, 3}, pixels));
    WriteGzip(images_ + ".gz", IdxBytes({4, 2, 3}, pixels));
    WriteBytes(labels_, IdxBytes({4}, {5, 0, 8, 0}));
  }

  absl::StatusOr<ImageSet> Load(const ImageInputOptions& options,
                                const ImageShape& shape = kShape) {
    return LoadImages(options, shape, standard_input_);
  }
  std::string ErrorOf(const ImageInputOptions& options, const ImageShape& shape = kShape) {
    return std::string(Load(options, shape).status().message());
  }

  TemporaryFolder folder_;
  std::string images_ = folder_.path("images");
  std::string labels_ = folder_.path("labels");
  std::istringstream standard_input_;
};

std::vector<std::int64_t> Positions(const ImageSet& set) {
  std::vector<std::int64_t> positions;
  for (const ImageOrigin& origin : set.origins) positions.push_back(origin.index);
  return positions;
}

std::vector<float> Floats(const ImageSet& set) {
  std::vector<float> values(set.data.size() / sizeof(float));
  std::memcpy(values.data(), set.data.data(), set.data.size());
  return values;
}

std::string FloatBytes(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

TEST_F(ImageInputTest, ReadsARangeOfAnIdxFilePlainAndGzipped) {
  for (const std::string& path : {images_, images_ + ".gz"}) {
    const auto set = Load({.inputs = {path + "[1:3]"}});
    ASSERT_TRUE(set.ok()) << set.status();
    EXPECT_EQ(set->element_type, v1::ELEMENT_TYPE_UINT8);
    EXPECT_THAT(Positions(*set), ElementsAre(1, 2));
    EXPECT_THAT(std::vector<int>(set->data.begin(), set->data.end()),
                ElementsAre(6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17));
  }
}

TEST_F(ImageInputTest, BatchHasTheWireShape) {
  const auto batch = Load({.inputs = {images_}})->ToBatch();
  EXPECT_THAT(batch.shape(), ElementsAre(4, 1, 2, 3));
  EXPECT_EQ(batch.data().size(), 24U);
  EXPECT_EQ(batch.element_type(), v1::ELEMENT_TYPE_UINT8);
}

TEST_F(ImageInputTest, SelectsByRangeThenLabelThenLimit) {
  EXPECT_THAT(Positions(*Load({.inputs = {images_}, .label_files = {labels_}, .only_labels = {0}})),
              ElementsAre(1, 3));
  EXPECT_THAT(
      Positions(*Load(
          {.inputs = {images_}, .label_files = {labels_}, .only_labels = {0, 8}, .limit = 2})),
      ElementsAre(1, 2));
  const auto set =
      Load({.inputs = {images_ + "[2:]"}, .label_files = {labels_}, .only_labels = {0}});
  EXPECT_THAT(Positions(*set), ElementsAre(3));
  EXPECT_EQ(set->origins[0].label, 0);
}

TEST_F(ImageInputTest, JoinsInputsAndKeepsTheirOrder) {
  WritePng(folder_.path("a.png"), {.width = 3, .height = 2}, {9, 8, 7, 6, 5, 4});
  const auto set = Load({.inputs = {folder_.path("a.png"), images_ + "[0]"}});
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(std::vector<int>(set->data.begin(), set->data.end()),
              ElementsAre(9, 8, 7, 6, 5, 4, 0, 1, 2, 3, 4, 5));
  EXPECT_EQ(set->origins[0].file, folder_.path("a.png"));
}

TEST_F(ImageInputTest, PngChannelsBecomePlanes) {
  WritePng(folder_.path("rgb.png"), {.width = 2, .height = 1, .color_type = PNG_COLOR_TYPE_RGB},
           {1, 2, 3, 4, 5, 6});
  const auto set = Load({.inputs = {folder_.path("rgb.png")}}, {3, 1, 2});
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(std::vector<int>(set->data.begin(), set->data.end()), ElementsAre(1, 4, 2, 5, 3, 6));
}

TEST_F(ImageInputTest, AsFloatIsTheFloatNearestToPixelOver255) {
  std::vector<std::uint8_t> all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::uint8_t>(i));
  WriteBytes(folder_.path("all"), IdxBytes({1, 16, 16}, all));
  const auto set = Load({.inputs = {folder_.path("all")}, .as_float = true}, {1, 16, 16});
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->element_type, v1::ELEMENT_TYPE_FP32);
  const std::vector<float> floats = Floats(*set);
  ASSERT_EQ(floats.size(), 256U);
  for (int p = 0; p < 256; ++p) {
    // |255 f - p| is exact in double (24 + 8 bits); no neighbour of f may be nearer.
    const float f = floats[static_cast<std::size_t>(p)];
    const auto error = [p](float x) { return std::abs(255.0 * static_cast<double>(x) - p); };
    EXPECT_LE(error(f), error(std::nextafter(f, 2.0F))) << p;
    EXPECT_LE(error(f), error(std::nextafter(f, -1.0F))) << p;
  }
}

TEST_F(ImageInputTest, ReadsRawFloatsFromFileAndStandardInput) {
  const std::vector<float> values = {0.F, .1F, .2F, .3F, .4F, .5F, 1.F, 2.F, 3.F, 4.F, 5.F, 6.F};
  WriteBytes(folder_.path("x.f32"), FloatBytes(values));
  EXPECT_EQ(Floats(*Load({.inputs = {folder_.path("x.f32")}})), values);
  EXPECT_THAT(Floats(*Load({.inputs = {folder_.path("x.f32[-1]")}})),
              ElementsAre(1.F, 2.F, 3.F, 4.F, 5.F, 6.F));
  standard_input_.str(FloatBytes(values));
  EXPECT_EQ(Floats(*Load({.inputs = {"-"}})), values);
}

TEST_F(ImageInputTest, WrongSizesSayExpectedAndGot) {
  EXPECT_THAT(ErrorOf({.inputs = {images_}}, {1, 28, 28}),
              HasSubstr("expected 1x28x28 as the model takes, got idx dimensions 4x2x3"));
  EXPECT_THAT(ErrorOf({.inputs = {labels_}}), HasSubstr("got idx dimensions 4"));
  WritePng(folder_.path("a.png"), {.width = 4, .height = 2}, std::vector<std::uint8_t>(8, 0));
  EXPECT_THAT(ErrorOf({.inputs = {folder_.path("a.png")}}),
              HasSubstr("a.png: image size: expected 3x2 pixels (width x height) as the model "
                        "takes, got 4x2"));
  WriteBytes(folder_.path("x.f32"), std::string(25, 'x'));
  EXPECT_THAT(ErrorOf({.inputs = {folder_.path("x.f32")}}),
              HasSubstr("expected a multiple of 24 bytes (1x2x3 float32 numbers), got 25"));
}

TEST_F(ImageInputTest, RefusesLabelsThatDoNotMatch) {
  WriteBytes(folder_.path("short"), IdxBytes({3}, {1, 2, 3}));
  EXPECT_THAT(ErrorOf({.inputs = {images_}, .label_files = {folder_.path("short")}}),
              HasSubstr("expected one for each of the 4 images, got idx dimensions 3"));
  EXPECT_THAT(ErrorOf({.inputs = {images_, images_}, .label_files = {labels_}}),
              HasSubstr("expected one file for each of the 2 inputs, got 1"));
  EXPECT_THAT(ErrorOf({.inputs = {images_}, .only_labels = {0}}), HasSubstr("--labels"));
}

TEST_F(ImageInputTest, RefusesPixelsAndFloatsInOneBatchUnlessAsFloat) {
  WriteBytes(folder_.path("x.f32"), std::string(24, '\0'));
  const std::vector<std::string> both = {images_, folder_.path("x.f32")};
  EXPECT_THAT(ErrorOf({.inputs = both}), HasSubstr("--as-float"));
  EXPECT_EQ(Load({.inputs = both, .as_float = true})->origins.size(), 5U);
}

TEST_F(ImageInputTest, RefusesEmptySelectionsAndMissingFiles) {
  EXPECT_FALSE(Load({}).ok());
  EXPECT_FALSE(Load({.inputs = {images_}, .label_files = {labels_}, .only_labels = {9}}).ok());
  EXPECT_EQ(Load({.inputs = {folder_.path("none")}}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Load({.inputs = {folder_.path("none.f32")}}).status().code(),
            absl::StatusCode::kNotFound);
  WritePng(folder_.path("a.png"), {.width = 3, .height = 2}, {9, 8, 7, 6, 5, 4});
  EXPECT_THAT(ErrorOf({.inputs = {folder_.path("a.png[0]")}}), HasSubstr("takes no range"));
}

}  // namespace
}  // namespace lipserve
