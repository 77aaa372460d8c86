// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "client/verify/model_file.h"
#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(const std::string& bytes) {
  const auto model = ParseModel(bytes);
  return model.ok() ? "" : std::string(model.status().message());
}

// The error after `change`, in a file whose checksum fits.
std::string ErrorAfter(const std::function<void(v1::ModelContent&)>& change) {
  FrozenModel frozen = ModelOf(RandomNetwork(1, {6, 4, 3}));
  v1::ModelContent content = ContentOf(BytesOf(frozen));
  change(content);
  return ErrorOf(Sealed(content.SerializeAsString()));
}

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
      EXPECT_NE(ErrorOf(changed), "") << "byte " << k << " bit " << bit;
    }
  }
}

TEST(VerifyModelFileTest, RefusesEveryTruncation) {
  FrozenModel frozen = ModelOf(RandomNetwork(1, {6, 4, 3}));
  const std::string bytes = BytesOf(frozen);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(ErrorOf(bytes.substr(0, size)), "") << size;
  }
}

TEST(VerifyModelFileTest, RefusesAnotherKindVersionOrChecksum) {
  FrozenModel frozen = ModelOf(RandomNetwork(1, {6, 3}));
  const std::string bytes = BytesOf(frozen);
  v1::SealedFile file;
  ASSERT_TRUE(file.ParseFromString(bytes));
  v1::SealedFile checkpoint = file;
  checkpoint.set_kind("lipserve.checkpoint");
  EXPECT_THAT(ErrorOf(checkpoint.SerializeAsString()), HasSubstr("got \"lipserve.checkpoint\""));
  v1::SealedFile newer = file;
  newer.set_format_version(2);
  EXPECT_THAT(ErrorOf(newer.SerializeAsString()), HasSubstr("format version: expected 1, got 2"));
  v1::SealedFile other = file;
  other.set_content_sha256(std::string(32, 'x'));
  EXPECT_THAT(ErrorOf(other.SerializeAsString()), HasSubstr("SHA-256 of the content"));
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
    EXPECT_THAT(ErrorAfter(with_weight(bad)), HasSubstr("layer 1: weights_fp32: number 2"));
  }
  for (const double bad :
       {-1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(ErrorAfter([bad](v1::ModelContent& content) {
                  content.mutable_layers(3)->mutable_dense()->set_operator_norm_bound(bad);
                }),
                HasSubstr("layer 3: operator_norm_bound"));
  }
  EXPECT_THAT(ErrorAfter([](v1::ModelContent& content) {
                content.mutable_pixel_scaling()->set_divisor(0.0);
              }),
              HasSubstr("pixel_scaling: divisor of pixels"));
}

TEST(VerifyModelFileTest, RefusesSizesThatDoNotFit) {
  EXPECT_THAT(ErrorAfter([](auto& content) { content.set_input_shape(2, 5); }),
              HasSubstr("layer 1: dense inputs: expected 5"));
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
                HasSubstr("layer 2: group_size"));
  }
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
              HasSubstr("expected at most 1024 layers"));
}

TEST(VerifyModelFileTest, RefusesFieldsThatItDoesNotKnow) {
  FrozenModel frozen = ModelOf(RandomNetwork(1, {6, 3}));
  const std::string content = ContentOf(BytesOf(frozen)).SerializeAsString();
  EXPECT_EQ(ErrorOf(Sealed(content)), "");
  // Field 9, a number; and a second name, of which protobuf would take the last.
  EXPECT_THAT(ErrorOf(Sealed(content + "\x48\x01")), HasSubstr("got field 9"));
  EXPECT_THAT(ErrorOf(Sealed(content + "\x0a\x01x")), HasSubstr("name: expected once"));
}

}  // namespace
}  // namespace lipserve::verify
