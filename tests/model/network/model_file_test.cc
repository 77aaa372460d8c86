// SPDX-License-Identifier: Apache-2.0
#include "model/network/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <limits>
#include <random>
#include <string>

#include "model/network/layer_proto.h"
#include "model/network/sealed_file.h"
#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

// The version that the file says.
std::uint32_t VersionOf(const std::string& path) {
  return ReadSealedFile(path, {.kind = "lipserve.model", .format_version = 9, .oldest_version = 1})
      ->format_version;
}

class ModelFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = ::testing::TempDir() + "model_file_" + info->name() + ".lip";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  // Writes a good model, lets `damage` change its content under a valid checksum, and reads it.
  std::string ErrorAfter(const std::function<void(v1::ModelContent&)>& damage) {
    EXPECT_TRUE(WriteModelFile(path_, model_).ok());
    const SealedFileKind kind{.kind = "lipserve.model", .format_version = VersionOf(path_)};
    v1::ModelContent content;
    EXPECT_TRUE(content.ParseFromString(ReadSealedFile(path_, kind)->bytes));
    damage(content);
    EXPECT_TRUE(WriteSealedFile(path_, kind, content.SerializeAsString()).ok());
    const auto read = ReadModelFile(path_);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(path_));
    return std::string(read.status().message());
  }

  FrozenModel model_ = ModelOf(RandomNetwork(3, {6, 4, 3}));
  std::string path_;
};

TEST_F(ModelFileTest, ReadsBackEveryBitThatWasWritten) {
  model_.training.set_trainer_version("7");
  ASSERT_TRUE(WriteModelFile(path_, model_).ok());
  const auto read = ReadModelFile(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->digest, model_.digest);
  EXPECT_EQ(read->digest.size(), 32U);
  EXPECT_EQ(read->class_labels, model_.class_labels);
  EXPECT_EQ(read->network.input_shape, model_.network.input_shape);
  EXPECT_EQ(read->training.trainer_version(), "7");
  for (const std::size_t layer : {1U, 3U}) {
    const auto& expected = std::get<DenseLayer>(model_.network.layers[layer]);
    const auto& got = std::get<DenseLayer>(read->network.layers[layer]);
    EXPECT_EQ(got.weights, expected.weights);
    EXPECT_EQ(got.bias, expected.bias);
    EXPECT_EQ(got.claimed_operator_norm_bound, expected.claimed_operator_norm_bound);
  }
}

TEST_F(ModelFileTest, ReadsBackHowManyPrototypesAClassHas) {
  model_ = ModelOf(WithPrototypes(model_.network, 1, 4));
  ASSERT_TRUE(WriteModelFile(path_, model_).ok());
  const auto read = ReadModelFile(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->network.prototypes_per_class, 4U);
  EXPECT_EQ(read->class_labels.size(), 3U);
  for (const std::int64_t wrong : {-1, 5, 12}) {
    EXPECT_THAT(
        ErrorAfter([wrong](v1::ModelContent& content) { content.set_prototypes_per_class(wrong); }),
        HasSubstr("prototypes_per_class: expected"));
  }
  EXPECT_THAT(ErrorAfter([](v1::ModelContent& content) { content.set_prototypes_per_class(0); }),
              HasSubstr("class_labels: expected 12"));
}

TEST_F(ModelFileTest, ReadsBackAConvolutionalNetwork) {
  std::mt19937_64 random(1);
  model_.network.input_shape = {.channels = 2, .height = 4, .width = 6};
  model_.network.layers = {RandomConvolution(random,
                                             {.input = model_.network.input_shape,
                                              .output_channels = 4,
                                              .vertical = {.size = 3, .padding_before = 2},
                                              .horizontal = {.size = 3, .padding_after = 2},
                                              .padding_mode = PaddingMode::kCircular},
                                             1.0),
                           GroupSortLayer{.group_size = 2},
                           AveragePoolLayer{.window_height = 2, .window_width = 2, .scale = 0.5F},
                           L2NormPoolLayer{.window_height = 1, .window_width = 3},
                           FlattenLayer{},
                           RandomDense(random, 8, 3, 1.0)};
  ASSERT_TRUE(WriteModelFile(path_, model_).ok());
  const auto read = ReadModelFile(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->network.layers.size(), model_.network.layers.size());
  for (std::size_t i = 0; i < model_.network.layers.size(); ++i) {
    EXPECT_EQ(LayerToProto(read->network.layers[i]).SerializeAsString(),
              LayerToProto(model_.network.layers[i]).SerializeAsString());
  }
}

TEST_F(ModelFileTest, ReadsBackANetworkThatBranchesAsVersion2) {
  ASSERT_TRUE(WriteModelFile(path_, model_).ok());
  EXPECT_EQ(VersionOf(path_), 1U);
  model_ = ModelOf(RandomBranchingNetwork(1, 3));
  ASSERT_TRUE(WriteModelFile(path_, model_).ok());
  EXPECT_EQ(VersionOf(path_), 2U);
  const auto read = ReadModelFile(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->network.inputs, model_.network.inputs);
  ASSERT_EQ(read->network.layers.size(), model_.network.layers.size());
  for (std::size_t i = 0; i < model_.network.layers.size(); ++i) {
    EXPECT_EQ(LayerToProto(read->network.layers[i]).SerializeAsString(),
              LayerToProto(model_.network.layers[i]).SerializeAsString());
  }
}

TEST_F(ModelFileTest, AModelThatSaysNothingOfPixelsIsVersion2) {
  model_.pixel_divisor = 0.0;
  ASSERT_TRUE(WriteModelFile(path_, model_).ok());
  EXPECT_EQ(VersionOf(path_), 2U);
  const auto read = ReadModelFile(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE(read->TakesPixels());
}

// Each version has a model in one form only.
TEST_F(ModelFileTest, RefusesAVersionThatIsNotTheLowest) {
  for (const std::uint32_t version : {1U, 2U}) {
    model_ =
        version == 2 ? ModelOf(RandomNetwork(1, {6, 3})) : ModelOf(RandomBranchingNetwork(1, 3));
    ASSERT_TRUE(WriteModelFile(path_, model_).ok());
    const auto sealed =
        ReadSealedFile(path_, {.kind = "lipserve.model", .format_version = 2, .oldest_version = 1});
    ASSERT_TRUE(sealed.ok());
    ASSERT_TRUE(
        WriteSealedFile(path_, {.kind = "lipserve.model", .format_version = version}, sealed->bytes)
            .ok());
    EXPECT_THAT(std::string(ReadModelFile(path_).status().message()),
                HasSubstr(absl::StrCat("format version: expected ", 3 - version)));
  }
}

TEST_F(ModelFileTest, RefusesInputsThatAreNone) {
  model_ = ModelOf(RandomBranchingNetwork(1, 3));
  EXPECT_THAT(ErrorAfter([](v1::ModelContent& content) { content.set_layer_inputs(3, -1); }),
              HasSubstr("layer_inputs: expected numbers of values, got -1"));
  EXPECT_THAT(ErrorAfter([](v1::ModelContent& content) { content.add_layer_inputs(1); }),
              HasSubstr("inputs: expected none, or one for each of 12 layers, got 13"));
}

TEST_F(ModelFileTest, TheSameModelGivesTheSameDigest) {
  ASSERT_TRUE(WriteModelFile(path_, model_).ok());
  const std::string digest = model_.digest;
  ASSERT_TRUE(WriteModelFile(path_, model_).ok());
  EXPECT_EQ(model_.digest, digest);
}

TEST_F(ModelFileTest, RefusesToWriteWhatItWouldNotRead) {
  std::get<DenseLayer>(model_.network.layers[1]).weights[0] = 1e-42F;
  EXPECT_FALSE(WriteModelFile(path_, model_).ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ModelFileTest, RefusesAnUnknownLayer) {
  EXPECT_THAT(ErrorAfter([](v1::ModelContent& content) { content.mutable_layers(1)->Clear(); }),
              HasSubstr("layer 1: kind: expected a layer that this program knows"));
}

TEST_F(ModelFileTest, RefusesPartialNumbers) {
  EXPECT_THAT(ErrorAfter([](v1::ModelContent& content) {
                content.mutable_layers(1)->mutable_dense()->mutable_weights_fp32()->pop_back();
              }),
              HasSubstr("weights: expected a multiple of 4 bytes, got 95"));
}

TEST_F(ModelFileTest, RefusesNegativeSizes) {
  EXPECT_THAT(ErrorAfter([](v1::ModelContent& content) {
                content.mutable_layers(1)->mutable_dense()->set_outputs(-4);
              }),
              HasSubstr("outputs: expected 1 to"));
}

TEST_F(ModelFileTest, RefusesAWrongInputShape) {
  EXPECT_THAT(ErrorAfter([](v1::ModelContent& content) { content.add_input_shape(2); }),
              HasSubstr("input_shape: expected 3 numbers [C, H, W], got 4"));
}

TEST_F(ModelFileTest, RefusesLabelsThatDoNotMatchTheClasses) {
  EXPECT_THAT(ErrorAfter([](v1::ModelContent& content) { content.add_class_labels("extra"); }),
              HasSubstr("class_labels: expected 3 (one per class), got 4"));
}

TEST_F(ModelFileTest, RefusesUnusablePixelScaling) {
  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(ErrorAfter([bad](v1::ModelContent& content) {
                  content.mutable_pixel_scaling()->set_divisor(bad);
                }),
                HasSubstr("pixel_scaling.divisor"));
  }
}

TEST_F(ModelFileTest, RefusesAClaimThatIsNoNumber) {
  EXPECT_THAT(ErrorAfter([](v1::ModelContent& content) {
                content.mutable_layers(1)->mutable_dense()->set_operator_norm_bound(
                    std::numeric_limits<double>::infinity());
              }),
              HasSubstr("operator_norm_bound: expected finite and >= 0"));
}

TEST_F(ModelFileTest, RefusesContentOfAnotherFormat) {
  ASSERT_TRUE(
      WriteSealedFile(path_, {.kind = "lipserve.model", .format_version = 1}, "\xff\xff").ok());
  EXPECT_THAT(std::string(ReadModelFile(path_).status().message()),
              HasSubstr("expected a ModelContent message"));
}

}  // namespace
}  // namespace lipserve
