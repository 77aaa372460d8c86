// SPDX-License-Identifier: Apache-2.0
#include "model/network/layer_proto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

namespace lipserve {
namespace {

using ::testing::HasSubstr;

// No two fields alike, so that a swap of two is seen.
ConvolutionLayer Convolution() {
  return {
      .input = {.channels = 4, .height = 7, .width = 9},
      .output_channels = 6,
      .groups = 2,
      .vertical = {.size = 3, .stride = 2, .dilation = 1, .padding_before = 4, .padding_after = 5},
      .horizontal =
          {.size = 1, .stride = 3, .dilation = 2, .padding_before = 6, .padding_after = 7},
      .padding_mode = PaddingMode::kReplicate,
      .weights = {1.0F, -0x1.fffffep127F, 0x1p-126F},
      .bias = {2.0F},
      .claimed_operator_norm_bound = 3.25};
}

FrozenLayer RoundTrip(const FrozenLayer& layer) {
  v1::FrozenLayer proto;
  EXPECT_TRUE(proto.ParseFromString(LayerToProto(layer).SerializeAsString()));
  const auto read = LayerFromProto(proto);
  EXPECT_TRUE(read.ok()) << read.status();
  return *read;
}

void ExpectSame(const WindowAxis& a, const WindowAxis& b) {
  EXPECT_EQ(a.size, b.size);
  EXPECT_EQ(a.stride, b.stride);
  EXPECT_EQ(a.dilation, b.dilation);
  EXPECT_EQ(a.padding_before, b.padding_before);
  EXPECT_EQ(a.padding_after, b.padding_after);
}

TEST(LayerProtoTest, KeepsEveryFieldOfAConvolution) {
  ConvolutionLayer written = Convolution();
  for (const PaddingMode mode : {PaddingMode::kZero, PaddingMode::kReflect, PaddingMode::kReplicate,
                                 PaddingMode::kCircular}) {
    written.padding_mode = mode;
    const auto read = std::get<ConvolutionLayer>(RoundTrip(written));
    EXPECT_EQ(read.input, written.input);
    EXPECT_EQ(read.output_channels, written.output_channels);
    EXPECT_EQ(read.groups, written.groups);
    ExpectSame(read.vertical, written.vertical);
    ExpectSame(read.horizontal, written.horizontal);
    EXPECT_EQ(read.padding_mode, mode);
    EXPECT_EQ(read.weights, written.weights);
    EXPECT_EQ(read.bias, written.bias);
    EXPECT_EQ(read.claimed_operator_norm_bound, written.claimed_operator_norm_bound);
  }
}

TEST(LayerProtoTest, KeepsEveryFieldOfTheOtherLayers) {
  const auto average = std::get<AveragePoolLayer>(
      RoundTrip(AveragePoolLayer{.window_height = 2, .window_width = 3, .scale = 0.3F}));
  EXPECT_EQ(average.window_height, 2U);
  EXPECT_EQ(average.window_width, 3U);
  EXPECT_EQ(average.scale, 0.3F);
  const auto l2_norm =
      std::get<L2NormPoolLayer>(RoundTrip(L2NormPoolLayer{.window_height = 4, .window_width = 5}));
  EXPECT_EQ(l2_norm.window_height, 4U);
  EXPECT_EQ(l2_norm.window_width, 5U);
  EXPECT_EQ(std::get<GroupSortLayer>(RoundTrip(GroupSortLayer{.group_size = 8})).group_size, 8U);
  EXPECT_TRUE(std::holds_alternative<FlattenLayer>(RoundTrip(FlattenLayer{})));
  const auto up =
      std::get<UpSamplingLayer>(RoundTrip(UpSamplingLayer{.window_height = 2, .window_width = 5}));
  EXPECT_EQ(up.window_height, 2U);
  EXPECT_EQ(up.window_width, 5U);
  EXPECT_TRUE(std::holds_alternative<AbsLayer>(RoundTrip(AbsLayer{})));
  EXPECT_TRUE(std::holds_alternative<MaxMinLayer>(RoundTrip(MaxMinLayer{})));
  EXPECT_TRUE(std::holds_alternative<ConcatenatedReluLayer>(RoundTrip(ConcatenatedReluLayer{})));
  EXPECT_THAT(std::get<PReluLayer>(RoundTrip(PReluLayer{{0.5F, -2.0F}})).slopes,
              ::testing::ElementsAre(0.5F, -2.0F));
  EXPECT_THAT(std::get<HouseholderLayer>(RoundTrip(HouseholderLayer{{1.0F, -1.0F}})).directions,
              ::testing::ElementsAre(1.0F, -1.0F));
  const auto permutation = std::get<PermutationLayer>(RoundTrip(PermutationLayer{
      .output = {.channels = 1, .height = 2, .width = 3}, .sources = {5, 0, 300}}));
  EXPECT_EQ(permutation.output, (SampleShape{.channels = 1, .height = 2, .width = 3}));
  EXPECT_THAT(permutation.sources, ::testing::ElementsAre(5, 0, 300));
  EXPECT_EQ(std::get<SumLayer>(RoundTrip(SumLayer{.other = 7})).other, 7U);
  const auto clip = std::get<ClipLayer>(RoundTrip(ClipLayer{.low = -0.5F, .high = 6.0F}));
  EXPECT_EQ(clip.low, -0.5F);
  EXPECT_EQ(clip.high, 6.0F);
  const MaxPoolLayer max_pool{.vertical = {.size = 3, .stride = 2, .padding_before = 1},
                              .horizontal = {.size = 4, .stride = 5, .padding_after = 2}};
  const auto read_pool = std::get<MaxPoolLayer>(RoundTrip(max_pool));
  ExpectSame(read_pool.vertical, max_pool.vertical);
  ExpectSame(read_pool.horizontal, max_pool.horizontal);
  const auto dense = std::get<DenseLayer>(RoundTrip(DenseLayer{.inputs = 2,
                                                               .outputs = 1,
                                                               .weights = {1.0F, 2.0F},
                                                               .bias = {3.0F},
                                                               .claimed_operator_norm_bound = 4}));
  EXPECT_EQ(dense.inputs, 2U);
  EXPECT_EQ(dense.outputs, 1U);
  EXPECT_THAT(dense.weights, ::testing::ElementsAre(1.0F, 2.0F));
  EXPECT_THAT(dense.bias, ::testing::ElementsAre(3.0F));
  EXPECT_EQ(dense.claimed_operator_norm_bound, 4.0);
}

// What LayerFromProto says of a convolution's message after `damage`.
std::string ErrorAfter(const std::function<void(v1::FrozenConvolution&)>& damage) {
  v1::FrozenLayer proto = LayerToProto(Convolution());
  damage(*proto.mutable_convolution());
  const auto read = LayerFromProto(proto);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(read.status().message());
}

TEST(LayerProtoTest, RefusesADamagedConvolutionNamingTheField) {
  EXPECT_THAT(ErrorAfter([](auto& layer) { layer.add_input_shape(1); }),
              HasSubstr("input_shape: expected 3 numbers [C, H, W], got 4"));
  EXPECT_THAT(ErrorAfter([](auto& layer) { layer.clear_padding_mode(); }),
              HasSubstr("padding_mode: expected zero, reflect, replicate or circular, got number "
                        "0"));
  EXPECT_THAT(
      ErrorAfter([](auto& layer) { layer.set_padding_mode(static_cast<v1::PaddingMode>(17)); }),
      HasSubstr("got number 17"));
  EXPECT_THAT(ErrorAfter([](auto& layer) { layer.mutable_vertical()->set_padding_after(-1); }),
              HasSubstr("vertical: expected paddings of at least 0, got 4 and -1"));
  EXPECT_THAT(ErrorAfter([](auto& layer) { layer.mutable_horizontal()->set_padding_before(-2); }),
              HasSubstr("horizontal: expected paddings of at least 0, got -2 and 7"));
  EXPECT_THAT(ErrorAfter([](auto& layer) { layer.mutable_weights_fp32()->pop_back(); }),
              HasSubstr("weights: expected a multiple of 4 bytes, got 11"));
  EXPECT_THAT(ErrorAfter([](auto& layer) { layer.mutable_bias_fp32()->push_back('x'); }),
              HasSubstr("bias: expected a multiple of 4 bytes, got 5"));
  for (const double bad :
       {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT(ErrorAfter([bad](auto& layer) { layer.set_operator_norm_bound(bad); }),
                HasSubstr("operator_norm_bound: expected finite and >= 0"));
  }
}

TEST(LayerProtoTest, TurnsNegativeSizesIntoZeroWhichNoNetworkHas) {
  v1::FrozenLayer proto = LayerToProto(Convolution());
  proto.mutable_convolution()->set_groups(-2);
  proto.mutable_convolution()->mutable_vertical()->set_stride(-1);
  const auto read = LayerFromProto(proto);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(std::get<ConvolutionLayer>(*read).groups, 0U);
  EXPECT_EQ(std::get<ConvolutionLayer>(*read).vertical.stride, 0U);
}

TEST(LayerProtoTest, RefusesDamagedLayersOfNetworksThatBranch) {
  const auto error_after = [](const FrozenLayer& layer,
                              const std::function<void(v1::FrozenLayer&)>& damage) {
    v1::FrozenLayer proto = LayerToProto(layer);
    damage(proto);
    return std::string(LayerFromProto(proto).status().message());
  };
  const PermutationLayer permutation{.output = {1, 1, 2}, .sources = {1, 0}};
  EXPECT_THAT(error_after(permutation,
                          [](auto& proto) {
                            proto.mutable_permutation()->mutable_sources_uint32()->pop_back();
                          }),
              HasSubstr("sources: expected a multiple of 4 bytes, got 7"));
  EXPECT_THAT(error_after(permutation,
                          [](auto& proto) { proto.mutable_permutation()->add_output_shape(1); }),
              HasSubstr("output_shape: expected 3 numbers [C, H, W], got 4"));
  EXPECT_THAT(error_after(SumLayer{}, [](auto& proto) { proto.mutable_sum()->set_other(-1); }),
              HasSubstr("other: expected"));
  EXPECT_THAT(error_after(MaxPoolLayer{},
                          [](auto& proto) {
                            proto.mutable_max_pool()->mutable_vertical()->set_padding_after(-1);
                          }),
              HasSubstr("vertical: expected paddings of at least 0"));
}

TEST(LayerProtoTest, RefusesALayerOfNoKnownKind) {
  EXPECT_THAT(std::string(LayerFromProto(v1::FrozenLayer()).status().message()),
              HasSubstr("kind: expected a layer that this program knows"));
}

}  // namespace
}  // namespace lipserve
