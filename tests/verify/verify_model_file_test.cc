// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
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

TEST(VerifyModelFileTest, ReadsTheFunctionThatTheModelLibraryWrote) {
  FrozenModel frozen = ModelOf(RandomNetwork(1, {6, 4, 3}));
  const auto model = ParseModel(BytesOf(frozen));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->name, "test");
  EXPECT_EQ(model->input_size(), 6U);
  EXPECT_EQ(model->class_labels, frozen.class_labels);
  EXPECT_EQ(model->digest, ToHex(frozen.digest));
  ASSERT_EQ(model->layers.size(), 4U);
  EXPECT_EQ(Describe(model->layers[0]), "flatten");
  EXPECT_EQ(Describe(model->layers[2]), "group sort 2");
  for (const std::size_t layer : {1U, 3U}) {
    const auto& read = std::get<Dense>(model->layers[layer]);
    const auto& written = std::get<DenseLayer>(frozen.network.layers[layer]);
    EXPECT_EQ(ToRational(read.claimed_norm), mpq_class(written.claimed_operator_norm_bound));
    ASSERT_EQ(read.weights.numbers.size(), written.weights.size());
    for (std::size_t k = 0; k < written.weights.size(); ++k) {
      EXPECT_EQ(ToRational(read.weights.numbers[k], read.weights.exponent),
                mpq_class(static_cast<double>(written.weights[k])));
    }
    for (std::size_t k = 0; k < written.bias.size(); ++k) {
      EXPECT_EQ(ToRational(read.bias.numbers[k], read.bias.exponent),
                mpq_class(static_cast<double>(written.bias[k])));
    }
  }
}

TEST(VerifyModelFileTest, RefusesAFileWithAnyByteChanged) {
  FrozenModel frozen = ModelOf(RandomNetwork(1, {6, 4, 3}));
  const std::string bytes = BytesOf(frozen);
  for (std::size_t k = 0; k < bytes.size(); ++k) {
    for (const unsigned bit : {0U, 3U, 7U}) {
      std::string changed = bytes;
      changed[k] = static_cast<char>(static_cast<unsigned char>(changed[k]) ^ (1U << bit));
      EXPECT_NE(ModelFileError(changed), "") << "byte " << k << " bit " << bit;
    }
  }
}

TEST(VerifyModelFileTest, RefusesEveryTruncation) {
  FrozenModel frozen = ModelOf(RandomNetwork(1, {6, 4, 3}));
  const std::string bytes = BytesOf(frozen);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(ModelFileError(bytes.substr(0, size)), "") << size;
  }
}

TEST(VerifyModelFileTest, RefusesAnotherKindVersionOrChecksum) {
  FrozenModel frozen = ModelOf(RandomNetwork(1, {6, 3}));
  const std::string bytes = BytesOf(frozen);
  v1::SealedFile file;
  ASSERT_TRUE(file.ParseFromString(bytes));
  v1::SealedFile checkpoint = file;
  checkpoint.set_kind("lipserve.checkpoint");
  EXPECT_THAT(ModelFileError(checkpoint.SerializeAsString()),
              HasSubstr("got \"lipserve.checkpoint\""));
  v1::SealedFile newer = file;
  newer.set_format_version(3);
  EXPECT_THAT(ModelFileError(newer.SerializeAsString()),
              HasSubstr("format version: expected 1 to 2, got 3"));
  v1::SealedFile other = file;
  other.set_content_sha256(std::string(32, 'x'));
  EXPECT_THAT(ModelFileError(other.SerializeAsString()), HasSubstr("SHA-256 of the content"));
}

TEST(VerifyModelFileTest, RefusesNumbersThatTheFormatForbids) {
  const auto with_weight = [](float weight) {
    return [weight](v1::ModelContent& content) {
      std::string& bytes = *content.mutable_layers(1)->mutable_dense()->mutable_weights_fp32();
      bytes.replace(8, 4, BytesOf(std::vector<float>{weight}));
    };
  };
  EXPECT_EQ(ErrorAfter(with_weight(0.5F)), "");
  for (const float bad : {std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN(), 0x1p-127F}) {
    EXPECT_THAT(ErrorAfter(with_weight(bad)), HasSubstr("layer 1: dense: weights_fp32: number 2"));
  }
  for (const double bad :
       {-1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(ErrorAfter([bad](v1::ModelContent& content) {
                  content.mutable_layers(3)->mutable_dense()->set_operator_norm_bound(bad);
                }),
                HasSubstr("layer 3: dense: operator_norm_bound"));
  }
  EXPECT_THAT(ErrorAfter([](v1::ModelContent& content) {
                content.mutable_pixel_scaling()->set_divisor(0.0);
              }),
              HasSubstr("pixel_scaling: divisor of pixels"));
}

TEST(VerifyModelFileTest, RefusesSizesThatDoNotFit) {
  EXPECT_THAT(ErrorAfter([](auto& content) { content.set_input_shape(2, 5); }),
              HasSubstr("layer 1: dense: inputs: expected 5"));
  EXPECT_THAT(ErrorAfter([](auto& content) { content.set_input_shape(2, -1); }),
              HasSubstr("input_shape: expected [C, H, W]"));
  EXPECT_THAT(ErrorAfter([](auto& content) { content.set_input_shape(0, 1 << 22); }),
              HasSubstr("input_shape"));
  EXPECT_THAT(ErrorAfter([](auto& content) { content.add_input_shape(1); }),
              HasSubstr("input_shape"));
  EXPECT_THAT(ErrorAfter([](auto& content) { content.clear_input_shape(); }),
              HasSubstr("input_shape: expected 3 numbers"));
  for (const std::int64_t outputs : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{5},
                                     std::int64_t{1} << 22, std::int64_t{1} << 62}) {
    EXPECT_THAT(ErrorAfter([outputs](auto& content) {
                  content.mutable_layers(1)->mutable_dense()->set_outputs(outputs);
                }),
                HasSubstr("layer 1"));
  }
  EXPECT_THAT(ErrorAfter([](auto& content) {
                content.mutable_layers(1)->mutable_dense()->set_bias_fp32("1234");
              }),
              HasSubstr("bias_fp32: expected 16 bytes"));
  for (const std::int64_t group : {0, 1, 3, -2}) {
    EXPECT_THAT(ErrorAfter([group](auto& content) {
                  content.mutable_layers(2)->mutable_group_sort()->set_group_size(group);
                }),
                HasSubstr("layer 2: group_sort: group_size"));
  }
}

// As the server does; protobuf's writer would not write such a string.
TEST(VerifyModelFileTest, RefusesLabelsAndNamesThatAreNotUtf8) {
  FrozenModel frozen = ModelOf(RandomNetwork(1, {6, 4, 3}));
  for (const char* text : {"\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80",
                           "\xf0\x80\x80\x80", "\xc3", "a\x80"}) {
    const std::string bytes = text;
    std::string content = ContentOf(BytesOf(frozen)).SerializeAsString();
    const std::string label = "class 0";
    const std::size_t at = content.find(label);
    content.replace(at, label.size(), label.substr(0, label.size() - bytes.size()) + bytes);
    EXPECT_THAT(ModelFileError(Sealed(content)),
                HasSubstr("class_labels: label 0: expected UTF-8"));
    std::string named = ContentOf(BytesOf(frozen)).SerializeAsString();
    named.replace(named.find("test"), 4, (bytes + "xxxx").substr(0, 4));
    EXPECT_THAT(ModelFileError(Sealed(named)), HasSubstr("name: expected UTF-8"));
  }
  frozen.class_labels[0] = "Zahl \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80";
  EXPECT_EQ(ModelFileError(BytesOf(frozen)), "");
}

TEST(VerifyModelFileTest, RefusesOtherArchitectures) {
  EXPECT_THAT(ErrorAfter([](auto& content) { content.clear_layers(); }), HasSubstr("got none"));
  EXPECT_THAT(ErrorAfter([](auto& content) { content.mutable_layers()->RemoveLast(); }),
              HasSubstr("expected the last to be dense, got group sort 2"));
  EXPECT_THAT(ErrorAfter([](auto& content) { content.mutable_layers(0)->Clear(); }),
              HasSubstr("layer 0: expected one kind of layer, got 0"));
  EXPECT_THAT(ErrorAfter([](auto& content) { content.add_class_labels("more"); }),
              HasSubstr("class_labels: expected 3, got 4"));
  EXPECT_THAT(ErrorAfter([](auto& content) {
                for (int k = 0; k < 2000; ++k) content.mutable_layers()->Add()->mutable_flatten();
              }),
              HasSubstr("layers: expected at most 1024, got 2004"));
}

// Layers: 0 and 2 convolutions, 1 a sort, 3 an average pooling, 4 an L2-norm pooling, 6 dense.
FrozenModel ConvolutionalModel() { return ModelOf(ConvolutionalNetwork(3, true)); }

std::string ErrorAfterConvolution(const std::function<void(v1::FrozenConvolution&)>& change) {
  return ErrorAfter(
      [&](v1::ModelContent& content) { change(*content.mutable_layers(0)->mutable_convolution()); },
      ConvolutionalModel());
}

TEST(VerifyModelFileTest, ReadsConvolutionsAndPoolings) {
  FrozenModel frozen = ConvolutionalModel();
  const auto model = ParseModel(BytesOf(frozen));
  ASSERT_TRUE(model.ok()) << model.status();
  const auto& read = std::get<Convolution>(model->layers[0]);
  const auto& written = std::get<ConvolutionLayer>(frozen.network.layers[0]);
  EXPECT_EQ(read.input, (Shape{2, 4, 4}));
  EXPECT_EQ(read.output(), (Shape{4, 2, 4}));
  EXPECT_EQ(read.groups, 2U);
  EXPECT_EQ(read.vertical.stride, 2U);
  EXPECT_EQ(read.horizontal.dilation, 2U);
  EXPECT_EQ(read.vertical.mode, PaddingMode::kZero);
  EXPECT_EQ(ToRational(read.claimed_norm), mpq_class(written.claimed_operator_norm_bound));
  ASSERT_EQ(read.weights.numbers.size(), written.weights.size());
  for (std::size_t k = 0; k < written.weights.size(); ++k) {
    EXPECT_EQ(ToRational(read.weights.numbers[k], read.weights.exponent),
              Exact(written.weights[k]));
  }
  for (std::size_t k = 0; k < written.bias.size(); ++k) {
    EXPECT_EQ(ToRational(read.bias.numbers[k], read.bias.exponent), Exact(written.bias[k]));
  }
  for (const std::size_t layer : {0U, 1U, 2U, 4U, 5U}) {
    std::string expected = DescribeLayer(frozen.network.layers[layer]);
    expected = expected.substr(0, expected.find(" with bias"));
    EXPECT_EQ(Describe(model->layers[layer]), expected);
  }
  EXPECT_EQ(Describe(model->layers[3]), "average pool 1x2, scale 0.500000000000000");
}

TEST(VerifyModelFileTest, RefusesAConvolutionalFileWithAnyByteChanged) {
  FrozenModel frozen = ConvolutionalModel();
  const std::string bytes = BytesOf(frozen);
  for (std::size_t k = 0; k < bytes.size(); ++k) {
    std::string changed = bytes;
    changed[k] = static_cast<char>(static_cast<unsigned char>(changed[k]) ^ 1U);
    EXPECT_NE(ModelFileError(changed), "") << "byte " << k;
  }
}

// The checksum fits after each change: a byte is another function, or none, and never a crash.
TEST(VerifyModelFileTest, ReadsAnotherFunctionOrNoneAfterAnyByteOfALayerChanges) {
  FrozenModel frozen = ConvolutionalModel();
  const v1::ModelContent content = ContentOf(BytesOf(frozen));
  int refused = 0;
  for (const int layer : {0, 2, 3, 4}) {
    const std::string bytes = content.layers(layer).SerializeAsString();
    const Shape input = layer == 0   ? Shape{2, 4, 4}
                        : layer == 2 ? Shape{4, 2, 4}
                        : layer == 3 ? Shape{2, 2, 4}
                                     : Shape{2, 2, 2};
    ASSERT_TRUE(ReadLayer(bytes, input).ok());
    for (std::size_t k = 0; k < bytes.size(); ++k) {
      for (const unsigned bit : {0U, 3U, 7U}) {
        std::string changed = bytes;
        changed[k] = static_cast<char>(static_cast<unsigned char>(changed[k]) ^ (1U << bit));
        const auto read = ReadLayer(changed, input);
        v1::FrozenLayer by_protobuf;
        refused += read.ok() ? 0 : 1;
        if (!read.ok()) continue;
        // What it accepts, protobuf reads as the same geometry.
        ASSERT_TRUE(by_protobuf.ParseFromString(changed));
        const auto layer_of_model = LayerFromProto(by_protobuf);
        ASSERT_TRUE(layer_of_model.ok()) << layer_of_model.status();
        const SampleShape shape = {.channels = input[0], .height = input[1], .width = input[2]};
        const SampleShape output = OutputShape(*layer_of_model, shape);
        EXPECT_EQ(OutputShape(*read, input), (Shape{output.channels, output.height, output.width}));
      }
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(VerifyModelFileTest, RefusesConvolutionsThatDoNotFit) {
  EXPECT_EQ(ErrorAfterConvolution([](auto& /*same*/) {}), "");
  EXPECT_THAT(ErrorAfterConvolution([](auto& layer) { layer.set_input_shape(1, 5); }),
              HasSubstr("layer 0: convolution: input_shape: expected [2, 4, 4] (the shape before "
                        "this layer), got [2, 5, 4]"));
  EXPECT_THAT(ErrorAfterConvolution([](auto& layer) { layer.add_input_shape(1); }),
              HasSubstr("input_shape"));
  for (const std::int64_t groups : {0, 3, 4, -1}) {
    EXPECT_THAT(ErrorAfterConvolution([&](auto& layer) { layer.set_groups(groups); }),
                HasSubstr("groups: expected a divisor of the 2 input and the 4 output channels"));
  }
  for (const std::int64_t channels : {std::int64_t{0}, std::int64_t{-2}, std::int64_t{1} << 62}) {
    EXPECT_THAT(ErrorAfterConvolution([&](auto& layer) { layer.set_output_channels(channels); }),
                HasSubstr("groups: expected"));
  }
  EXPECT_THAT(ErrorAfterConvolution([](auto& layer) { layer.set_output_channels(6); }),
              HasSubstr("weights_fp32: expected 144 bytes"));
  // Another stride makes another shape, which the next layer does not expect.
  EXPECT_THAT(ErrorAfterConvolution([](auto& layer) { layer.mutable_vertical()->set_stride(1); }),
              HasSubstr("layer 2: convolution: input_shape: expected [4, 4, 4]"));
}

TEST(VerifyModelFileTest, RefusesConvolutionsWithTooLargeAnOutput) {
  ConvolutionLayer layer{.input = {.channels = 1, .height = 32, .width = 32},
                         .output_channels = 1U << 12U,
                         .groups = 1,
                         .vertical = {},
                         .horizontal = {},
                         .weights = std::vector<float>(1U << 12U, 1.0F),
                         .bias = {}};
  const auto read = [&] {
    return ReadLayer(LayerToProto(layer).SerializeAsString(), Shape{1, 32, 32});
  };
  EXPECT_TRUE(read().ok()) << read().status();
  layer.output_channels += 1;
  layer.weights.push_back(1.0F);
  EXPECT_THAT(std::string(read().status().message()),
              HasSubstr("output: expected at most 4194304 numbers, got [4097, 32, 32]"));
}

TEST(VerifyModelFileTest, RefusesWindowsThatDoNotFit) {
  for (const std::int64_t number : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40}) {
    EXPECT_THAT(
        ErrorAfterConvolution([&](auto& layer) { layer.mutable_vertical()->set_size(number); }),
        HasSubstr("vertical: expected size, stride and dilation of 1 to"));
    EXPECT_THAT(
        ErrorAfterConvolution([&](auto& layer) { layer.mutable_vertical()->set_stride(number); }),
        HasSubstr("vertical: expected size, stride and dilation of 1 to"));
    EXPECT_THAT(ErrorAfterConvolution(
                    [&](auto& layer) { layer.mutable_horizontal()->set_dilation(number); }),
                HasSubstr("horizontal: expected size, stride and dilation of 1 to"));
  }
  EXPECT_THAT(ErrorAfterConvolution([](auto& layer) { layer.clear_vertical(); }),
              HasSubstr("vertical: expected size"));
  EXPECT_THAT(
      ErrorAfterConvolution([](auto& layer) { layer.mutable_horizontal()->set_dilation(8); }),
      HasSubstr("horizontal: expected a window within the padded image"));
  for (const std::int64_t padding : {std::int64_t{-1}, std::int64_t{1} << 23}) {
    EXPECT_THAT(ErrorAfterConvolution(
                    [&](auto& layer) { layer.mutable_vertical()->set_padding_after(padding); }),
                HasSubstr("vertical: expected a window within the padded image, and paddings"));
  }
  EXPECT_THAT(ErrorAfterConvolution([](auto& layer) {
                layer.mutable_vertical()->set_padding_after(1 << 21);
                layer.mutable_vertical()->set_stride(1 << 20);
              }),
              HasSubstr("padding: expected at most 4194304 numbers in the padded image, got [2, "));
}

TEST(VerifyModelFileTest, RefusesPaddingsThatTheModeForbids) {
  for (const int mode : {0, 5, -1}) {
    EXPECT_THAT(ErrorAfterConvolution([&](auto& layer) {
                  layer.set_padding_mode(static_cast<v1::PaddingMode>(mode));
                }),
                HasSubstr("padding_mode: expected 1 to 4"));
  }
  const auto with = [](v1::PaddingMode mode, std::int64_t padding) {
    return ErrorAfterConvolution([&](auto& layer) {
      layer.set_padding_mode(mode);
      layer.mutable_horizontal()->set_padding_before(padding);
    });
  };
  EXPECT_THAT(with(v1::PADDING_MODE_REFLECT, 4), HasSubstr("horizontal: expected a window within"));
  EXPECT_THAT(with(v1::PADDING_MODE_CIRCULAR, 5),
              HasSubstr("horizontal: expected a window within"));
  EXPECT_THAT(with(v1::PADDING_MODE_CIRCULAR, 4), HasSubstr("layer 2"));  // it is wider, and valid
}

TEST(VerifyModelFileTest, RefusesNumbersOfConvolutionsThatTheFormatForbids) {
  for (const float bad : {std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN(), 0x1p-127F}) {
    const std::string bytes = BytesOf(std::vector<float>{bad});
    EXPECT_THAT(ErrorAfterConvolution(
                    [&](auto& layer) { layer.mutable_weights_fp32()->replace(8, 4, bytes); }),
                HasSubstr("layer 0: convolution: weights_fp32: number 2"));
    EXPECT_THAT(ErrorAfterConvolution(
                    [&](auto& layer) { layer.mutable_bias_fp32()->replace(4, 4, bytes); }),
                HasSubstr("layer 0: convolution: bias_fp32: number 1"));
    EXPECT_THAT(ErrorAfter(
                    [&](auto& content) {
                      content.mutable_layers(3)->mutable_average_pool()->set_scale(bad);
                    },
                    ConvolutionalModel()),
                HasSubstr("layer 3: average_pool: scale: expected"));
  }
  EXPECT_THAT(ErrorAfterConvolution([](auto& layer) { layer.set_operator_norm_bound(-1.0); }),
              HasSubstr("operator_norm_bound: expected at least 0"));
  EXPECT_THAT(ErrorAfterConvolution([](auto& layer) { layer.mutable_bias_fp32()->pop_back(); }),
              HasSubstr("bias_fp32: expected 16 bytes for 4 numbers, got 15"));
  EXPECT_EQ(ErrorAfterConvolution([](auto& layer) { layer.clear_bias_fp32(); }), "");
}

TEST(VerifyModelFileTest, RefusesPoolingsThatDoNotFit) {
  const auto after = [](const std::function<void(v1::ModelContent&)>& change) {
    return ErrorAfter(change, ConvolutionalModel());
  };
  for (const std::int64_t window : {0, -3, 3, 12}) {
    EXPECT_THAT(after([&](auto& content) {
                  content.mutable_layers(3)->mutable_average_pool()->set_window_width(window);
                }),
                HasSubstr("layer 3: average_pool: window: expected one that divides the image of "
                          "2 x 4, got 1 x"));
    EXPECT_THAT(after([&](auto& content) {
                  content.mutable_layers(4)->mutable_l2_norm_pool()->set_window_height(window);
                }),
                HasSubstr("layer 4: l2_norm_pool: window: expected one that divides the image of "
                          "2 x 2"));
  }
  for (const float scale : {0.0F, -0.5F}) {
    EXPECT_THAT(after([&](auto& content) {
                  content.mutable_layers(3)->mutable_average_pool()->set_scale(scale);
                }),
                HasSubstr("scale: expected more than 0"));
  }
  EXPECT_THAT(
      after([](auto& content) {
        content.mutable_layers(1)->mutable_group_sort()->set_group_size(8);
      }),
      HasSubstr("layer 1: group_sort: group_size: expected at least 2 and a divisor of the 4 "
                "channels, got 8"));
}

TEST(VerifyModelFileTest, RefusesFieldsThatItDoesNotKnow) {
  FrozenModel frozen = ModelOf(RandomNetwork(1, {6, 3}));
  const std::string content = ContentOf(BytesOf(frozen)).SerializeAsString();
  EXPECT_EQ(ModelFileError(Sealed(content)), "");
  // Field 9, a number; and a second name, of which protobuf would take the last.
  EXPECT_THAT(ModelFileError(Sealed(content + "\x48\x01")), HasSubstr("got field 9"));
  EXPECT_THAT(ModelFileError(Sealed("\x0a\x01x" + content)), HasSubstr("name: expected once"));
}

}  // namespace
}  // namespace lipserve::verify
