// SPDX-License-Identifier: Apache-2.0
// Networks that branch, and the layers of format version 2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "client/verify/answer_cost.h"
#include "client/verify/exact_evaluation.h"
#include "client/verify/proven_model.h"
#include "model/certified_model.h"
#include "tests/model/rational_network.h"
#include "tests/verify/answers.h"
#include "tests/verify/frozen_model_bytes.h"
#include "tests/verify/model_file_error.h"

namespace lipserve::verify {
namespace {

using ::testing::HasSubstr;

FrozenModel Branching(std::uint64_t seed, std::size_t scores = 3) {
  return ModelOf(RandomBranchingNetwork(seed, scores));
}

std::string BranchingError(const std::function<void(v1::ModelContent&)>& change) {
  return verify::ErrorAfter(change, Branching(1));
}

TEST(BranchingModelTest, ReadsWhatTheModelLibraryWrote) {
  FrozenModel frozen = Branching(1);
  const auto model = ParseModel(BytesOf(frozen));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->inputs, frozen.network.inputs);
  for (const std::size_t layer : {2U, 5U, 7U, 9U}) {
    EXPECT_EQ(Describe(model->layers[layer]), DescribeLayer(frozen.network.layers[layer]));
  }
  EXPECT_EQ(Describe(model->layers[6]), "clip to [-1, 0.750000000000000]");
  EXPECT_EQ(Describe(model->layers[8]), "max pool 3x2, stride 2x1");
  const std::vector<SampleShape> shapes = lipserve::ValueShapes(frozen.network);
  for (std::size_t value = 0; value < shapes.size(); ++value) {
    EXPECT_EQ(model->ValueShapes()[value],
              (Shape{shapes[value].channels, shapes[value].height, shapes[value].width}));
  }
}

TEST(BranchingModelTest, RefusesEveryChangedByteAndTruncation) {
  FrozenModel frozen = Branching(1);
  const std::string bytes = BytesOf(frozen);
  for (std::size_t k = 0; k < bytes.size(); k += k < 300 ? 1 : 37) {
    std::string changed = bytes;
    changed[k] = static_cast<char>(static_cast<unsigned char>(changed[k]) ^ 1U);
    EXPECT_NE(ModelFileError(changed), "") << "byte " << k;
    EXPECT_NE(ModelFileError(bytes.substr(0, k)), "") << k << " bytes";
  }
}

TEST(BranchingModelTest, RefusesAVersionThatIsNotTheLowest) {
  FrozenModel frozen = Branching(1);
  const std::string content = ContentOf(BytesOf(frozen)).SerializeAsString();
  EXPECT_THAT(ModelFileError(Sealed(content, 1)), HasSubstr("format version: expected 2, the low"));
  EXPECT_EQ(ModelFileError(Sealed(content, 2)), "");
  FrozenModel chain = ModelOf(RandomNetwork(1, {6, 3}));
  EXPECT_THAT(ModelFileError(Sealed(ContentOf(BytesOf(chain)).SerializeAsString(), 2)),
              HasSubstr("format version: expected 1, the lowest"));
  // A chain with a new layer.
  chain.network.layers.insert(chain.network.layers.begin(), ClipLayer{.low = 0.0F, .high = 1.0F});
  EXPECT_EQ(ModelFileError(BytesOf(chain)), "");
}

TEST(BranchingModelTest, RefusesValuesThatAreNotThereYetOrNeverRead) {
  EXPECT_THAT(BranchingError([](auto& content) { content.set_layer_inputs(4, 5); }),
              HasSubstr("layer 4: input: expected a value before this layer's, at most 4, got 5"));
  EXPECT_THAT(BranchingError([](auto& content) { content.set_layer_inputs(4, -1); }),
              HasSubstr("layer 4: input: expected a value before this layer's"));
  EXPECT_THAT(
      BranchingError([](auto& content) { content.mutable_layers(2)->mutable_sum()->set_other(3); }),
      HasSubstr("layer 2: other: expected a value before this layer's, at most 2, got 3"));
  EXPECT_THAT(
      BranchingError([](auto& content) { content.mutable_layers(2)->mutable_sum()->set_other(2); }),
      HasSubstr("expected a layer that reads value 1, got none"));
  EXPECT_THAT(
      BranchingError([](auto& content) { content.mutable_layers(9)->mutable_sum()->set_other(8); }),
      HasSubstr("layer 9: other: expected a value of shape [3, 2, 6], got [3, 5, 6]"));
  EXPECT_THAT(BranchingError([](auto& content) { content.add_layer_inputs(1); }),
              HasSubstr("layer_inputs: expected none, or one for each of 12 layers"));
  FrozenModel chain = ModelOf(RandomNetwork(1, {6, 3}));
  v1::ModelContent content = ContentOf(BytesOf(chain));
  content.add_layer_inputs(0);
  content.add_layer_inputs(1);
  EXPECT_THAT(ModelFileError(Sealed(content.SerializeAsString(), 2)),
              HasSubstr("layer_inputs: expected none"));
}

TEST(BranchingModelTest, RefusesLayersThatDoNotFit) {
  const auto permutation = [](const std::function<void(v1::FrozenPermutation&)>& change) {
    return BranchingError(
        [&](auto& content) { change(*content.mutable_layers(7)->mutable_permutation()); });
  };
  EXPECT_THAT(permutation([](auto& layer) { layer.mutable_sources_uint32()->pop_back(); }),
              HasSubstr("layer 7: permutation: sources_uint32: expected 360 bytes"));
  EXPECT_THAT(permutation([](auto& layer) {
                layer.mutable_sources_uint32()->replace(4, 4, layer.sources_uint32().substr(0, 4));
              }),
              HasSubstr("sources_uint32: number 1: expected one below 96"));
  EXPECT_THAT(permutation([](auto& layer) { layer.mutable_sources_uint32()->at(3) = 1; }),
              HasSubstr("sources_uint32: number 0: expected one below 96"));
  EXPECT_THAT(permutation([](auto& layer) { layer.add_output_shape(1); }),
              HasSubstr("output_shape: expected"));
  const auto clip = [](float low, float high) {
    return BranchingError([&](auto& content) {
      content.mutable_layers(6)->mutable_clip()->set_low(low);
      content.mutable_layers(6)->mutable_clip()->set_high(high);
    });
  };
  EXPECT_THAT(clip(1.0F, 0.5F), HasSubstr("layer 6: clip: high: expected at least low"));
  EXPECT_THAT(clip(-INFINITY, 0.5F), HasSubstr("layer 6: clip: low"));
  EXPECT_THAT(clip(0.0F, std::nanf("")), HasSubstr("layer 6: clip: high"));
  EXPECT_THAT(clip(1e-40F, 1.0F), HasSubstr("layer 6: clip: low"));
  const auto pool = [](const std::function<void(v1::WindowAxis&)>& change) {
    return BranchingError([&](auto& content) {
      change(*content.mutable_layers(8)->mutable_max_pool()->mutable_vertical());
    });
  };
  EXPECT_THAT(pool([](auto& axis) { axis.set_dilation(2); }),
              HasSubstr("layer 8: max_pool: vertical: expected dilation 1 and paddings below"));
  EXPECT_THAT(pool([](auto& axis) { axis.set_padding_before(3); }),
              HasSubstr("vertical: expected dilation 1 and paddings below the size 3"));
  EXPECT_THAT(pool([](auto& axis) { axis.set_size(9); }), HasSubstr("vertical: expected a window"));
  EXPECT_THAT(pool([](auto& axis) { axis.set_stride(0); }), HasSubstr("vertical: expected size"));
}

TEST(BranchingModelTest, GivesTheScoresOfFractions) {
  std::mt19937_64 random(1);
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    FrozenModel frozen = Branching(seed);
    const Model model = ParseModel(BytesOf(frozen)).value();
    const auto input = RandomFloats(random, model.input_size(), 1.0);
    const ExactVector scores =
        ScoresOf(model, FromBinary32(BytesOf(input), Binary32Rule::kFinite).value());
    const std::vector<Rational> expected = RationalScores(frozen.network, input);
    ASSERT_EQ(scores.numbers.size(), expected.size());
    for (std::size_t k = 0; k < expected.size(); ++k) {
      EXPECT_EQ(ToRational(scores.numbers[k], scores.exponent), expected[k].value());
    }
  }
}

constexpr double kAbove = 1.0 + 0x1p-20;  // what a claim is above the norm

DenseLayer Diagonal(float value) {
  return {.inputs = 2,
          .outputs = 2,
          .weights = {value, 0.0F, 0.0F, value},
          .bias = {},
          .claimed_operator_norm_bound = static_cast<double>(value) * kAbove};
}

// The square of a Lipschitz constant of what `layers` make of two numbers.
mpq_class LipschitzSquared(std::vector<FrozenLayer> layers, std::vector<std::size_t> inputs) {
  layers.emplace_back(Diagonal(1.0F));
  FrozenModel frozen = ModelOf({.input_shape = {.channels = 2, .height = 1, .width = 1},
                                .layers = std::move(layers),
                                .inputs = std::move(inputs)});
  return Proven(frozen).hidden_lipschitz_squared();
}

TEST(BranchingModelTest, ASumIsAsSteepAsBothOfItsValuesTogether) {
  EXPECT_EQ(LipschitzSquared({SumLayer{.other = 0}}, {}), 4);
  EXPECT_EQ(LipschitzSquared({Diagonal(2.0F), Diagonal(3.0F), SumLayer{.other = 1}}, {0, 0, 2, 3}),
            25 * mpq_class(kAbove) * mpq_class(kAbove));
  // Roots that are no fractions are rounded up, by less than 2^-100 of them.
  const PReluLayer steep{{1.5F, 1.5F}};
  const mpq_class two_roots =
      LipschitzSquared({AveragePoolLayer{.window_height = 1, .window_width = 1, .scale = 0.1F},
                        steep, SumLayer{.other = 0}},
                       {});
  const mpq_class exact = (1 + mpq_class(1.5) * mpq_class(static_cast<double>(0.1F))) *
                          (1 + mpq_class(1.5) * mpq_class(static_cast<double>(0.1F)));
  EXPECT_GE(two_roots, exact);
  EXPECT_LE(two_roots, exact * (1 + mpq_class(1, mpz_class(1) << 100)));
}

TEST(BranchingModelTest, AMaxPoolIsAsSteepAsTheMostReads) {
  for (const auto& [size, stride, before, after, length, reads] :
       std::vector<std::array<std::size_t, 6>>{{3, 1, 0, 0, 5, 3},
                                               {3, 2, 0, 0, 5, 2},
                                               {3, 2, 0, 0, 3, 1},
                                               {3, 1, 2, 2, 1, 3},
                                               {2, 2, 1, 1, 4, 1},
                                               {4, 3, 1, 1, 9, 2},
                                               {5, 1, 4, 4, 4, 5},
                                               {2, 5, 1, 0, 7, 1}}) {
    const WindowAxis axis{.length = length,
                          .taps = size,
                          .stride = stride,
                          .padding_before = before,
                          .padding_after = after};
    const MaxPool pool{.vertical = axis, .horizontal = {}};
    // By the definition.
    std::vector<std::size_t> by_position(length);
    for (std::size_t output = 0; output < axis.outputs(); ++output) {
      for (std::size_t tap = 0; tap < size; ++tap) {
        if (const auto source = axis.Source(output, tap)) ++by_position[*source];
      }
    }
    EXPECT_EQ(*std::max_element(by_position.begin(), by_position.end()), reads);
    EXPECT_EQ(pool.MostReads(), reads) << size << " " << stride << " " << before;
  }
}

TEST(BranchingModelTest, RootsOfBothValuesOfASumErr) {
  const auto error = [](std::vector<FrozenLayer> layers) {
    layers.emplace_back(Diagonal(1.0F));
    FrozenModel frozen = ModelOf(
        {.input_shape = {.channels = 2, .height = 1, .width = 1}, .layers = std::move(layers)});
    return Proven(frozen).difference_error();
  };
  const mpq_class once = error({L2NormPoolLayer{}});
  EXPECT_GT(once, 0);
  EXPECT_EQ(error({L2NormPoolLayer{}, SumLayer{.other = 1}}), 2 * once);
  EXPECT_EQ(error({L2NormPoolLayer{}, SumLayer{.other = 0}}), once);
}

TEST(BranchingModelTest, ServedAnswersAreAcceptedAndAFalseOneIsRefused) {
  std::mt19937_64 random(2);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    FrozenModel frozen = Branching(seed, seed == 1 ? 1 : 3);
    const ProvenModel proven = Proven(frozen);
    const auto served = CertifiedModel::Create(frozen, 1).value();
    const auto worker = served->NewWorker();
    for (int trial = 0; trial < 10; ++trial) {
      const auto input = RandomFloats(random, frozen.network.input_shape.size(), 1.0);
      std::vector<lipserve::Answer> answers(1);
      served->Classify({input.data(), 1, input.size()}, *worker, answers);
      Answer answer = AnswerFor(input, answers[0].class_index, mpq_class(answers[0].radius_l2));
      answer.margin = mpq_class(answers[0].margin_lower_bound);
      EXPECT_EQ(AnswerError(proven, answer), "");
      answer.radius *= mpq_class(1'000'001, 1'000'000);
      EXPECT_THAT(AnswerError(proven, answer), HasSubstr("radius: expected at most"));
      answer.class_index = 1 - answer.class_index % 2;
      EXPECT_THAT(AnswerError(proven, answer), HasSubstr("class: expected class"));
    }
  }
}

TEST(BranchingModelTest, TheCostOfAnAnswerCountsEveryValueThatIsHeld) {
  FrozenNetwork network{.input_shape = {.channels = 1000, .height = 1, .width = 1}, .layers = {}};
  for (int branch = 0; branch < 8; ++branch) {
    network.layers.emplace_back(ClipLayer{.low = -1.0F, .high = 1.0F});
    network.inputs.push_back(0);
  }
  for (std::size_t sum = 0; sum < 7; ++sum) {
    network.layers.emplace_back(SumLayer{.other = sum + 1});
    network.inputs.push_back(8 + sum);
  }
  std::mt19937_64 random(1);
  network.layers.emplace_back(RandomDense(random, 1000, 2, 0.01));
  network.inputs.push_back(15);
  FrozenModel frozen = ModelOf(std::move(network));
  const Model model = ParseModel(BytesOf(frozen)).value();
  EXPECT_EQ(NumbersOfAnswer(model), 10'000U);  // input, seven branches, the eighth, and a copy
  EXPECT_EQ(ProductsOfAnswer(model), 8 * 1000U + 7 * 1000U + 2000U);
}

}  // namespace
}  // namespace lipserve::verify
