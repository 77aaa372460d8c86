// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/make_layer.h"

#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/make_from.h"
#include "trainer/layers/group_sort.h"
#include "trainer/layers/spectral_dense.h"

namespace lipserve::trainer {
namespace {

using testing::HasSubstr;

struct Refusal {
  const char* text;
  const char* message;
  SampleShape shape = {12, 1, 1};
};

TEST(MakeLayerTest, RefusesBadFieldsNamingLayerFieldExpectedAndGot) {
  const std::vector<Refusal> refusals = {
      {"", "layers[3]: expected one of flatten, spectral_dense"},
      {"spectral_dense {}", "layers[3].spectral_dense.units: expected at least 1, got 0"},
      {"spectral_dense { units: -4 }", "spectral_dense.units: expected at least 1, got -4"},
      {"spectral_dense { units: 9000000000000000000 }", "units: expected at most 5592405"},
      {"spectral_dense { units: 2 power_iterations: -1 }",
       "spectral_dense.power_iterations: expected 1 to 1000, or 0 for 3, got -1"},
      {"spectral_dense { units: 2 bjorck_iterations: 1001 }",
       "spectral_dense.bjorck_iterations: expected 1 to 1000, or 0 for 15, got 1001"},
      {"spectral_dense { units: 2 bjorck_beta: 0.6 }",
       "spectral_dense.bjorck_beta: expected a number in (0, 0.5], or 0 for 0.5, got 0.6"},
      {"spectral_dense { units: 2 bjorck_beta: nan }", "spectral_dense.bjorck_beta:"},
      {"spectral_dense { units: 2 bjorck_tolerance: -1 }",
       "spectral_dense.bjorck_tolerance: expected a positive number, or 0 for 0.001, got -1"},
      {"spectral_dense { units: 2 bjorck_tolerance: nan }", "spectral_dense.bjorck_tolerance:"},
      {"spectral_dense { units: 2 initial_scale: -1 }",
       "spectral_dense.initial_scale: expected a number in [0.001, 1000], or 0 for 1, got -1"},
      {"spectral_dense { units: 2 initial_scale: nan }", "spectral_dense.initial_scale:"},
      {"spectral_dense { units: 2 method: ORTHOGONAL_METHOD_RETRACTION bjorck_iterations: 5 }",
       "layers[3].spectral_dense: expected only units and use_bias with "
       "ORTHOGONAL_METHOD_RETRACTION, got units: 2 bjorck_iterations: 5"},
      {"spectral_dense { units: 2 reflector_rank: 2 }",
       "layers[3].spectral_dense.reflector_rank: expected none with ORTHOGONAL_METHOD_BJORCK, got "
       "2; it belongs to ORTHOGONAL_METHOD_BLOCK_REFLECTOR"},
      {"spectral_dense { units: 2 method: ORTHOGONAL_METHOD_CHOLESKY bjorck_beta: 0.5 }",
       "layers[3].spectral_dense: expected only units, use_bias and initial_scale with "
       "ORTHOGONAL_METHOD_CHOLESKY, got units: 2 bjorck_beta: 0.5"},
      {"spectral_dense { units: 2 method: ORTHOGONAL_METHOD_CAYLEY reflector_rank: 1 }",
       "with ORTHOGONAL_METHOD_CAYLEY, got units: 2"},
      {"spectral_dense { units: 2 method: ORTHOGONAL_METHOD_CAYLEY initial_scale: 1e9 }",
       "spectral_dense.initial_scale: expected a number in [0.001, 1000], or 0 for 1, got 1e+09"},
      {"spectral_dense { units: 2 method: ORTHOGONAL_METHOD_BLOCK_REFLECTOR reflector_rank: 13 }",
       "spectral_dense.reflector_rank: expected 1 to the larger of 12 inputs and 2 units, or 0 for "
       "half of it, got 13"},
      {"spectral_dense { units: 2 method: ORTHOGONAL_METHOD_BLOCK_REFLECTOR reflector_rank: -1 }",
       "spectral_dense.reflector_rank: expected 1 to"},
      {"spectral_dense { units: 40000 method: ORTHOGONAL_METHOD_BLOCK_REFLECTOR }",
       "reflector_rank: expected at most 1677 for 12 inputs and 40000 units (2^26 numbers in its "
       "kernel), got 20000; name a smaller one"},
      {"spectral_dense { units: 2 method: 77 }",
       "layers[3].spectral_dense.method: expected a known method, got the number 77"},
      {"dense {}", "layers[3].dense.units: expected at least 1, got 0"},
      {"dense { units: 2 }", "expected a vector as input", {1, 28, 28}},
      {"frobenius_dense {}", "layers[3].frobenius_dense.units: expected at least 1, got 0"},
      {"group_sort { group_size: 1 }",
       "layers[3].group_sort.group_size: expected at least 2 and a divisor of the 12 channels, got "
       "1"},
      {"group_sort { group_size: 5 }", "a divisor of the 12 channels, got 5"},
      {"group_sort { group_size: -2 }", "a divisor of the 12 channels, got -2"},
      {"full_sort {}",
       "layers[3].full_sort: expected at least 2 channels to sort, got 1",
       {1, 1, 1}},
      {"spectral_dense { units: 2 }",
       "layers[3].spectral_dense: expected a vector as input, got shape [1, 28, 28]; put flatten",
       {1, 28, 28}},
      {"frobenius_dense { units: 2 }", "expected a vector as input", {1, 28, 28}},
      {"group_sort { group_size: 2 }", "a divisor of the 3 channels, got 2", {3, 28, 28}},
      {"full_sort {}", "at least 2 channels to sort, got 1", {1, 28, 28}},
      {"max_min {}", "layers[3].max_min: expected an even number of channels, got 3", {3, 28, 28}},
      {"householder {}", "householder: expected an even number of channels, got 5", {5, 1, 1}},
      {"householder { initial_angle: nan }",
       "householder.initial_angle: expected radians in [-100, 100], or none for pi / 2, got nan"},
      {"prelu { initial_slope: 1.5 }",
       "layers[3].prelu.initial_slope: expected a number in [-1, 1], or none for 0.25, got 1.5"},
      {"prelu { initial_slope: nan }", "prelu.initial_slope:"},
      {"soft_huber { delta: -1 }",
       "layers[3].soft_huber.delta: expected a number in [1e-06, 1000], or 0 for 0.05, got -1"},
      {"soft_huber { delta: nan }", "soft_huber.delta:"},
      {"sll_dense { units: -1 }", "layers[3].sll_dense.units: expected at least 1, got -1"},
      {"cpl_dense {}", "layers[3].cpl_dense: expected a vector as input", {1, 28, 28}},
      {"sll_convolution {}",
       "layers[3].sll_convolution.kernel_size: expected one or two numbers, got none",
       {2, 8, 8}},
      {"cpl_convolution { kernel_size: 3 filters: -1 }",
       "layers[3].cpl_convolution.filters: expected at least 1, got -1",
       {2, 8, 8}},
      {"cpl_convolution { kernel_size: 3 padding_mode: PADDING_MODE_REFLECT }",
       "layers[3].cpl_convolution.padding_mode: expected zero or circular, with which the "
       "transposed convolution is one of the same kind, got reflect or replicate",
       {2, 8, 8}},
      {"linear_residual_dense {}",
       "layers[3].linear_residual_dense: expected a vector as input",
       {1, 28, 28}},
      {"linear_residual_dense { residual { power_iterations: -1 } }",
       "layers[3].linear_residual_dense.residual.power_iterations: expected 1 to 1000, or 0 for 3, "
       "got -1"},
      {"linear_residual_dense { residual { scale: nan } }",
       "linear_residual_dense.residual.scale: expected a number in (0, 1000], or 0 for 1, got nan"},
      {"convolution { filters: 4 kernel_size: 3 linear_residual {} }",
       "layers[3].convolution.linear_residual: expected as many filters as channels, stride 1, and "
       "padding that keeps the size",
       {2, 8, 8}},
      {"convolution { filters: 2 kernel_size: 3 stride: 2 linear_residual {} }",
       "linear_residual: expected as many filters as channels, stride 1",
       {2, 8, 8}},
      {"convolution { filters: 2 kernel_size: 2 dilation: 3 linear_residual {} }",
       "with a tap on every position itself",
       {2, 8, 8}},
      {"residual {}", "layers[3].residual.layers: expected at least 1, got none"},
      {"residual { layers { abs {} } }",
       "layers[3].residual.layers[0]: expected an affine layer before each activation, got "
       "absolute value first"},
      {"residual { layers { aol_dense { units: 12 } } layers { abs {} } layers { abs {} } }",
       "layers[3].residual.layers[2]: expected an affine layer before each activation"},
      {"residual { layers { aol_dense { units: 8 } } }",
       "layers[3].residual.layers: expected to end in [12, 1, 1], as they start, got [8, 1, 1]"},
      {"residual { layers { aol_dense { units: -1 } } }",
       "layers[3].residual.layers[0]: layers[3].aol_dense.units: expected at least 1, got -1"},
      {"residual { layers { aol_dense { units: 12 } } initial_skip: 1 }",
       "layers[3].residual.initial_skip: expected a number in (0, 1), or none for 0.5, got 1"},
      {"residual { layers { dense { units: 12 } } }",
       "layers[3].residual.layers[0]: expected an affine layer of norm 1"},
      {"residual { layers { frobenius_dense { units: 12 disjoint_neurons: true } } }",
       "layers[3].residual.layers[0]: expected an affine layer of norm 1"},
      {"residual { layers { aol_dense { units: 12 } } layers { full_sort {} } }",
       "layers[3].residual.layers[1]: expected an affine layer of norm 1"},
      {"residual { layers { sll_dense {} } }",
       "layers[3].residual.layers[0]: expected an affine layer of norm 1"},
      {"residual { layers { aol_dense { units: 12 } } layers { soft_huber {} } }",
       "layers[3].residual.layers[1]: expected an affine layer of norm 1 that keeps the size of "
       "images, with stride 1 and a tap on every position itself, or group_sort { group_size: 2 }, "
       "max_min, abs, prelu, householder, got SoftHuber"},
      {"residual { layers { nearest_prototype { classes: 6 prototypes_per_class: 2 } } }",
       "layers[3].residual.layers[0]: expected an affine layer of norm 1"},
      {"residual { layers { residual { layers { aol_dense { units: 12 } } } } }",
       "layers[3].residual.layers[0]: expected an affine layer of norm 1"},
      {"residual { layers { convolution { filters: 2 kernel_size: 3 stride: 2 aol {} } } }",
       "that keeps the size of images, with stride 1 and a tap on every position itself",
       {2, 8, 8}},
  };
  for (const Refusal& refusal : refusals) {
    const auto layer = MakeFrom(refusal.text, refusal.shape);
    ASSERT_FALSE(layer.ok()) << refusal.text;
    EXPECT_EQ(layer.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(layer.status().message()), HasSubstr(refusal.message));
  }
}

TEST(MakeLayerTest, BuildsEveryLayerWithItsOutputShape) {
  const auto shape = [](const std::string& text, SampleShape in = {12, 1, 1}) {
    const auto layer = MakeFrom(text, in);
    EXPECT_TRUE(layer.ok()) << layer.status();
    return (*layer)->type() + " " + std::to_string((*layer)->output_shape().size());
  };
  EXPECT_EQ(shape("flatten {}", {3, 4, 5}), "Flatten 60");
  EXPECT_EQ(shape("spectral_dense { units: 7 }"), "SpectralDense 7");
  EXPECT_EQ(shape("spectral_dense { units: 7 method: ORTHOGONAL_METHOD_RETRACTION }"),
            "OrthogonalDense 7");
  EXPECT_EQ(shape("spectral_dense { units: 7 method: ORTHOGONAL_METHOD_CHOLESKY }"),
            "CholeskyDense 7");
  EXPECT_EQ(shape("spectral_dense { units: 7 method: ORTHOGONAL_METHOD_CAYLEY }"), "CayleyDense 7");
  EXPECT_EQ(shape("spectral_dense { units: 7 method: ORTHOGONAL_METHOD_BLOCK_REFLECTOR }"),
            "BlockReflectorDense 7");
  EXPECT_EQ(shape("frobenius_dense { units: 5 }"), "FrobeniusDense 5");
  EXPECT_EQ(shape("dense { units: 3 }"), "Dense 3");
  EXPECT_EQ(shape("group_sort { group_size: 2 }"), "GroupSort2 12");
  EXPECT_EQ(shape("group_sort { group_size: 3 }"), "GroupSort 12");
  EXPECT_EQ(shape("full_sort {}"), "FullSort 12");
  EXPECT_EQ(shape("sll_dense {}"), "SLLDense 12");
  EXPECT_EQ(shape("cpl_dense { units: 20 use_bias: true }"), "CPLDense 12");
  EXPECT_EQ(shape("sll_convolution { kernel_size: 3 }", {2, 8, 8}), "SLLConv2D 128");
  EXPECT_EQ(shape("cpl_convolution { kernel_size: 3 filters: 5 }", {2, 8, 8}), "CPLConv2D 128");
  EXPECT_EQ(shape("linear_residual_dense {}"), "LiResDense 12");
  EXPECT_EQ(shape("convolution { filters: 2 kernel_size: 3 linear_residual {} }", {2, 8, 8}),
            "LiResConv2D 128");
  EXPECT_EQ(shape("residual { layers { aol_dense { units: 12 } } }"), "Residual 12");
  EXPECT_EQ(shape("soft_huber {}"), "SoftHuber 12");
  EXPECT_EQ(shape("abs {}"), "Abs 12");
  EXPECT_EQ(shape("max_min {}"), "MaxMin 12");
  EXPECT_EQ(shape("concatenated_relu {}"), "ConcatenatedReLU 24");
  EXPECT_EQ(shape("prelu {}"), "LPReLU 12");
  EXPECT_EQ(shape("householder {}"), "Householder 12");
}

TEST(MakeLayerTest, ZeroFieldsTakeTheDocumentedDefaults) {
  const auto defaults = MakeFrom("spectral_dense { units: 5 }");
  const auto spelled_out = MakeFrom(
      "spectral_dense { units: 5 power_iterations: 3 bjorck_iterations: 15 bjorck_beta: 0.5 "
      "bjorck_tolerance: 1e-3 initial_scale: 1 }");
  const auto others = MakeFrom("spectral_dense { units: 5 bjorck_iterations: 2 }");
  std::vector<std::vector<float>> weights;
  for (const auto* layer : {&defaults, &spelled_out, &others}) {
    ASSERT_TRUE(layer->ok());
    auto& spectral = dynamic_cast<SpectralDense&>(***layer);
    for (std::size_t i = 0; i < 60; ++i) {
      spectral.parameters()[0].values[i] += 0.1F * static_cast<float>(i % 7);
    }
    spectral.PrepareStep(true);
    const ConstMatrixView w = spectral.effective_weights();
    weights.emplace_back(w.data, w.data + w.size());
  }
  EXPECT_EQ(weights[0], weights[1]);
  EXPECT_NE(weights[0], weights[2]);
}

TEST(MakeLayerTest, ABlockReflectorTurnsHalfOfTheLargerSideUnlessTold) {
  const auto numbers = [](const std::string& fields) {
    const auto layer = MakeFrom(
        "spectral_dense { units: 5 method: ORTHOGONAL_METHOD_BLOCK_REFLECTOR " + fields + " }");
    EXPECT_TRUE(layer.ok()) << layer.status();
    return (*layer)->parameters()[0].values.size();
  };
  EXPECT_EQ(numbers(""), 12U * 6U);
  EXPECT_EQ(numbers("reflector_rank: 2"), 12U * 2U);
}

TEST(MakeLayerTest, ActivationsTakeTheirDefaultsOnlyIfNothingIsSet) {
  const auto first = [](const std::string& text) {
    const auto layer = MakeFrom(text);
    EXPECT_TRUE(layer.ok()) << layer.status();
    return (*layer)->parameters()[0].values;
  };
  EXPECT_EQ(first("prelu {}"), std::vector<float>(12, 0.25F));
  EXPECT_EQ(first("prelu { initial_slope: 0 shared: true }"), std::vector<float>(1, 0.0F));
  EXPECT_EQ(first("householder {}"), std::vector<float>(6, 1.57079637F));
  EXPECT_EQ(first("householder { initial_angle: 0 }"), std::vector<float>(6, 0.0F));
}

TEST(MakeLayerTest, BiasIsAParameterOnlyIfAskedFor) {
  EXPECT_EQ((*MakeFrom("spectral_dense { units: 5 }"))->parameters().size(), 1U);
  EXPECT_EQ((*MakeFrom("spectral_dense { units: 5 use_bias: true }"))->parameters().size(), 2U);
  EXPECT_EQ((*MakeFrom("frobenius_dense { units: 5 use_bias: true }"))->parameters().size(), 2U);
}

}  // namespace
}  // namespace lipserve::trainer
