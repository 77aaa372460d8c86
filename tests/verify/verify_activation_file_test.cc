// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "client/verify/model/model_file.h"
#include "tests/verify/convolutional_network.h"
#include "tests/verify/frozen_model_bytes.h"
#include "tests/verify/model_file_error.h"

namespace lipserve::verify {
namespace {

using ::testing::HasSubstr;

// Layers: 1 max-min, 4 PReLU of 12 slopes, 6 Householder, 7 absolute value, 9 concatenated ReLU,
// 10 up-sampling of 24 channels by 2 x 3.
std::string ErrorAfterActivation(const std::function<void(v1::ModelContent&)>& change) {
  return ErrorAfter(change, ModelOf(RandomActivationNetwork(1, 3)));
}

TEST(VerifyActivationFileTest, ReadsActivations) {
  FrozenModel frozen = ModelOf(RandomActivationNetwork(1, 3));
  const auto model = ParseModel(BytesOf(frozen));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(Describe(model->layers[1]), "max-min");
  EXPECT_EQ(Describe(model->layers[4]), "PReLU");
  EXPECT_EQ(Describe(model->layers[6]), "Householder");
  EXPECT_EQ(Describe(model->layers[7]), "absolute value");
  EXPECT_EQ(Describe(model->layers[9]), "concatenated ReLU");
  EXPECT_EQ(Describe(model->layers[10]), "up-sampling 2x3");
}

TEST(VerifyActivationFileTest, RefusesActivationsThatDoNotFit) {
  EXPECT_THAT(ErrorAfterActivation([](auto& content) {
                content.mutable_layers(4)->mutable_prelu()->mutable_slopes_fp32()->pop_back();
              }),
              HasSubstr("layer 4: prelu: slopes_fp32: expected 48 bytes for 12 numbers, got 47"));
  EXPECT_THAT(ErrorAfterActivation([](auto& content) {
                content.mutable_layers(4)->mutable_prelu()->mutable_slopes_fp32()->replace(
                    4, 4, BytesOf(std::vector<float>{0x1p-127F}));
              }),
              HasSubstr("layer 4: prelu: slopes_fp32: number 1: expected zero or a normal number"));
  EXPECT_THAT(
      ErrorAfterActivation([](auto& content) {
        content.mutable_layers(6)->mutable_householder()->mutable_directions_fp32()->append("1234");
      }),
      HasSubstr("layer 6: householder: directions_fp32: expected 48 bytes for 12 numbers, got 52"));
  EXPECT_THAT(ErrorAfter([](auto& content) { content.mutable_layers(0)->mutable_max_min(); }),
              HasSubstr("layer 0: max_min: channels: expected an even number, got 1"));
  EXPECT_THAT(ErrorAfter([](auto& content) { content.mutable_layers(0)->mutable_householder(); }),
              HasSubstr("layer 0: householder: channels: expected an even number, got 1"));
  for (const auto& [height, width] :
       {std::pair(0L, 3L), {2L, 0L}, {-2L, 3L}, {2L, 5L}, {1L << 32, 1L << 32}}) {
    EXPECT_THAT(ErrorAfterActivation([height = height, width = width](auto& content) {
                  auto& up = *content.mutable_layers(10)->mutable_up_sampling();
                  up.set_window_height(height);
                  up.set_window_width(width);
                }),
                HasSubstr("layer 10: up_sampling: window: expected one whose positions divide the "
                          "24 channels, got"));
  }
  // A layer without fields has none, whatever another reader would make of them.
  EXPECT_THAT(ErrorAfterActivation([](auto& content) {
                const std::string field_in_abs("\xf2\x01\x02\x08\x01", 5);
                content.mutable_layers(7)->ParseFromString(field_in_abs);
              }),
              HasSubstr("layer 7: abs"));
}

// Layers 3 and 4 are potentials of convolutions, 9 and 10 of dense layers.
std::string ErrorAfterPotential(std::size_t layer,
                                const std::function<void(v1::FrozenConvexPotential&)>& change) {
  return ErrorAfter(
      [&](v1::ModelContent& content) {
        change(*content.mutable_layers(static_cast<int>(layer))->mutable_convex_potential());
      },
      ModelOf(RandomPotentialNetwork(1, 3)));
}

TEST(VerifyActivationFileTest, RefusesConvexPotentialsThatDoNotFit) {
  for (const std::size_t layer : {3U, 4U, 9U, 10U}) {
    EXPECT_EQ(ErrorAfterPotential(layer, [](auto&) {}), "");
  }
  EXPECT_THAT(ErrorAfterPotential(9, [](auto& potential) { potential.clear_dense(); }),
              HasSubstr("convex_potential: expected one inner layer, got 0"));
  EXPECT_THAT(
      ErrorAfterPotential(9, [](auto& potential) { potential.mutable_dense()->set_inputs(47); }),
      HasSubstr("layer 9: convex_potential: dense: inputs: expected 48"));
  EXPECT_THAT(
      ErrorAfterPotential(9, [](auto& potential) { potential.mutable_dense()->set_outputs(31); }),
      HasSubstr("convex_potential: dense: weights_fp32: expected"));
  EXPECT_THAT(
      ErrorAfterPotential(3,
                          [](auto& potential) {
                            potential.mutable_convolution()->mutable_vertical()->set_stride(2);
                          }),
      HasSubstr("layer 3: convex_potential: convolution: expected stride 1"));
  EXPECT_THAT(ErrorAfterPotential(
                  3,
                  [](auto& potential) {
                    potential.mutable_convolution()->mutable_vertical()->set_padding_before(1);
                  }),
              HasSubstr("convolution: expected stride 1"));
  EXPECT_THAT(ErrorAfterPotential(3,
                                  [](auto& potential) {
                                    potential.mutable_convolution()->set_padding_mode(
                                        v1::PADDING_MODE_REFLECT);
                                  }),
              HasSubstr("convolution: expected stride 1, zero or circular padding"));
  EXPECT_THAT(ErrorAfterPotential(3,
                                  [](auto& potential) {
                                    auto& dense = *potential.mutable_dense();
                                    dense.set_inputs(128);
                                    dense.set_outputs(1);
                                    dense.set_weights_fp32(std::string(512, '\0'));
                                  }),
              HasSubstr("convex_potential: dense: expected a vector as input, got [8, 4, 4]"));
}

}  // namespace
}  // namespace lipserve::verify
