// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/convolution_geometry.h"

#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/trainer/make_from.h"
#include "trainer/network/make_layer.h"

namespace lipserve::trainer {
namespace {

using testing::HasSubstr;

ConvolutionLayer GeometryFrom(const std::string& text, SampleShape shape = {4, 8, 6}) {
  v1::ConvolutionSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  const auto geometry = ReadGeometry(spec, {0, "convolution", shape});
  EXPECT_TRUE(geometry.ok()) << geometry.status();
  return geometry.value_or(ConvolutionLayer());
}

TEST(ConvolutionGeometryTest, WithoutPaddingTheImageKeepsItsSizeDividedByTheStride) {
  for (const SampleShape shape : {SampleShape{4, 8, 6}, SampleShape{4, 7, 9}}) {
    for (const std::size_t size : {1U, 2U, 3U, 4U, 5U}) {
      for (const std::size_t stride : {1U, 2U, 3U}) {
        const ConvolutionLayer layer =
            GeometryFrom("filters: 2 kernel_size: " + std::to_string(size) +
                             " stride: " + std::to_string(stride),
                         shape);
        EXPECT_EQ(layer.output().height, (shape.height + stride - 1) / stride);
        EXPECT_EQ(layer.output().width, (shape.width + stride - 1) / stride);
        EXPECT_LE(layer.vertical.padding_before, layer.vertical.padding_after);
      }
    }
  }
}

TEST(ConvolutionGeometryTest, PairsAreVerticalThenHorizontal) {
  const ConvolutionLayer layer = GeometryFrom(
      "filters: 6 groups: 2 kernel_size: [3, 2] stride: [1, 2] dilation: [2, 1] padding: [1, 0] "
      "padding_mode: PADDING_MODE_REFLECT");
  EXPECT_EQ(layer.groups, 2U);
  EXPECT_EQ(layer.vertical.size, 3U);
  EXPECT_EQ(layer.horizontal.size, 2U);
  EXPECT_EQ(layer.vertical.stride, 1U);
  EXPECT_EQ(layer.horizontal.stride, 2U);
  EXPECT_EQ(layer.vertical.dilation, 2U);
  EXPECT_EQ(layer.horizontal.dilation, 1U);
  EXPECT_EQ(layer.vertical.padding_before, 1U);
  EXPECT_EQ(layer.vertical.padding_after, 1U);
  EXPECT_EQ(layer.horizontal.padding_after, 0U);
  EXPECT_EQ(layer.padding_mode, PaddingMode::kReflect);
  EXPECT_EQ(layer.output(), (SampleShape{6, 6, 3}));
}

TEST(ConvolutionGeometryTest, LayersOfImagesHaveTheirShapes) {
  const auto shape = [](const std::string& text) {
    const auto layer = MakeFrom(text, {4, 8, 6});
    EXPECT_TRUE(layer.ok()) << layer.status();
    const SampleShape out = (*layer)->output_shape();
    return (*layer)->type() + " " + std::to_string(out.channels) + " " +
           std::to_string(out.height) + " " + std::to_string(out.width);
  };
  EXPECT_EQ(shape("convolution { filters: 5 kernel_size: 3 spectral {} }"), "SpectralConv2D 5 8 6");
  EXPECT_EQ(shape("convolution { filters: 5 kernel_size: 2 stride: 2 "
                  "spectral { method: ORTHOGONAL_METHOD_RETRACTION } }"),
            "OrthogonalConv2D 5 4 3");
  EXPECT_EQ(shape("scaled_average_pool {}"), "ScaledAveragePooling2D 4 4 3");
  EXPECT_EQ(shape("scaled_l2_norm_pool { pool_size: [4, 3] }"), "ScaledL2NormPooling2D 4 2 2");
  EXPECT_EQ(shape("scaled_global_average_pool {}"), "ScaledGlobalAveragePooling2D 4 1 1");
  EXPECT_EQ(shape("scaled_global_l2_norm_pool {}"), "ScaledGlobalL2NormPooling2D 4 1 1");
  EXPECT_EQ(shape("invertible_down_sampling { pool_size: [2, 3] }"),
            "InvertibleDownSampling 24 4 2");
  EXPECT_EQ(shape("invertible_up_sampling {}"), "InvertibleUpSampling 1 16 12");
  EXPECT_EQ(shape("layer_centering {}"), "LayerCentering 4 8 6");
  EXPECT_EQ(shape("batch_centering {}"), "BatchCentering 4 8 6");
  EXPECT_EQ(shape("convolution { filters: 5 kernel_size: 3 aol {} }"), "AOLConv2D 5 8 6");
  EXPECT_EQ(shape("convolution { filters: 5 kernel_size: 3 frobenius {} }"),
            "FrobeniusConv2D 5 8 6");
  EXPECT_EQ(shape("convolution { filters: 5 kernel_size: 3 block_orthogonal {} }"),
            "BlockOrthogonalConv2D 5 8 6");
  EXPECT_EQ(shape("group_sort { group_size: 2 }"), "GroupSort2 4 8 6");
  EXPECT_EQ(shape("full_sort {}"), "FullSort 4 8 6");
}

TEST(ConvolutionGeometryTest, RefusesBadFieldsNamingLayerFieldExpectedAndGot) {
  struct Refusal {
    const char* text;
    const char* message;
    SampleShape shape = {4, 8, 6};
  };
  const std::vector<Refusal> refusals = {
      {"convolution { filters: 2 kernel_size: 3 }",
       "layers[3].convolution: expected a constraint, one of spectral {}, frobenius {}"},
      {"convolution { kernel_size: 3 spectral {} }",
       "layers[3].convolution.filters: expected at least 1, got 0"},
      {"convolution { filters: 2 spectral {} }",
       "layers[3].convolution.kernel_size: expected one or two numbers, got none"},
      {"convolution { filters: 2 kernel_size: [3, 3, 3] spectral {} }",
       "kernel_size: expected one or two numbers, got 3"},
      {"convolution { filters: 2 kernel_size: 0 spectral {} }",
       "kernel_size: expected 1 to 4096, got 0"},
      {"convolution { filters: 2 kernel_size: 3 stride: -1 spectral {} }",
       "stride: expected 1 to 4096, got -1"},
      {"convolution { filters: 2 kernel_size: 3 dilation: [1, 5000] spectral {} }",
       "dilation: expected 1 to 4096, got 5000"},
      {"convolution { filters: 2 kernel_size: 3 padding: -1 spectral {} }",
       "padding: expected 0 to 4096, got -1"},
      {"convolution { filters: 2 kernel_size: 3 groups: 4 spectral {} }",
       "groups: expected a divisor of the 4 channels and the 2 filters, got 4"},
      {"convolution { filters: 3 kernel_size: 3 groups: -1 spectral {} }", "groups: expected a"},
      {"convolution { filters: 2 kernel_size: [3, 7] padding: 0 spectral {} }",
       "kernel_size: expected a window that fits in the padded image of 8 x 6, got one of 3 x 7"},
      {"convolution { filters: 2 kernel_size: 3 padding: 6 padding_mode: PADDING_MODE_REFLECT "
       "spectral {} }",
       "padding: expected less than the size of the image's 8 x 6, got 6 above, 6 below, 6 left"},
      {"convolution { filters: 2 kernel_size: 3 padding: 7 padding_mode: PADDING_MODE_CIRCULAR "
       "spectral {} }",
       "padding: expected at most the size of the image's 8 x 6"},
      {"convolution { filters: 90000 kernel_size: 8 spectral {} }",
       "expected at most 2^22 numbers in an image and a window and 2^26 weights"},
      {"convolution { filters: 4 groups: 2 kernel_size: 3 "
       "spectral { method: ORTHOGONAL_METHOD_RETRACTION } }",
       "convolution.spectral.method: expected ORTHOGONAL_METHOD_BJORCK with 2 groups"},
      {"convolution { filters: 4 kernel_size: 3 "
       "spectral { method: ORTHOGONAL_METHOD_RETRACTION bjorck_beta: 0.5 } }",
       "convolution.spectral: expected no field beside method"},
      {"convolution { filters: 4 kernel_size: 3 padding_mode: 77 spectral {} }",
       "layers[3].convolution.padding_mode: expected zero, reflect, replicate or circular, got "
       "number 77"},
      {"convolution { filters: 4 kernel_size: 3 "
       "spectral { method: ORTHOGONAL_METHOD_CAYLEY } }",
       "convolution.spectral.method: expected ORTHOGONAL_METHOD_BJORCK or "
       "ORTHOGONAL_METHOD_RETRACTION for a convolution, got method: ORTHOGONAL_METHOD_CAYLEY"},
      {"convolution { filters: 4 kernel_size: 3 spectral { bjorck_beta: 2 } }",
       "convolution.spectral.bjorck_beta: expected a number in (0, 0.5]"},
      {"convolution { filters: 4 kernel_size: 3 padding_mode: PADDING_MODE_REFLECT aol {} }",
       "convolution.aol: expected padding_mode zero or circular, got reflect or replicate"},
      {"convolution { filters: 4 kernel_size: 3 padding: 2 padding_mode: PADDING_MODE_CIRCULAR "
       "block_orthogonal {} }",
       "convolution.block_orthogonal: expected circular padding that gives at most size / stride = "
       "8 x 6 outputs, got 10 x 8"},
      {"convolution { filters: 4 groups: 2 kernel_size: 3 block_orthogonal {} }",
       "convolution.block_orthogonal: expected 1 group, got 2; take spectral {} or aol {}"},
      {"aol_dense { units: 2 }", "layers[3].aol_dense: expected a vector as input"},
      {"batch_centering { momentum: 1.5 }",
       "layers[3].batch_centering.momentum: expected a number in (0, 1], or 0 for 0.1, got 1.5"},
      {"layer_centering {}",
       "layers[3].layer_centering: expected an image of several positions as input, got shape [4, "
       "1, 1]",
       {4, 1, 1}},
      {"invertible_up_sampling { pool_size: 3 }",
       "layers[3].invertible_up_sampling.pool_size: expected windows whose positions divide the 4 "
       "channels, got 3 x 3"},
      {"invertible_down_sampling { pool_size: 4 }",
       "layers[3].invertible_down_sampling.pool_size: expected divisors of the image's height 8"},
      {"scaled_average_pool { pool_size: [2, 4] }",
       "layers[3].scaled_average_pool.pool_size: expected divisors of the image's height 8 and "
       "width 6, got 2 and 4"},
      {"scaled_l2_norm_pool { pool_size: 0 }",
       "layers[3].scaled_l2_norm_pool.pool_size: expected 1 to 4096, got 0"},
  };
  for (const Refusal& refusal : refusals) {
    const auto layer = MakeFrom(refusal.text, refusal.shape);
    ASSERT_FALSE(layer.ok()) << refusal.text;
    EXPECT_EQ(layer.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(layer.status().message()), HasSubstr(refusal.message));
  }
}

}  // namespace
}  // namespace lipserve::trainer
