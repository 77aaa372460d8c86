// SPDX-License-Identifier: Apache-2.0
#include "client/verify/model/wire_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <string>

#include "lipserve/v1/model_file.pb.h"

namespace lipserve::verify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::string_literals;  // NOLINT(google-build-using-namespace): bytes with zeros

constexpr FieldRule kRules[] = {{1, WireType::kVarint, "count"},
                                {2, WireType::kBytes, "text"},
                                {3, WireType::kFixed64, "number"},
                                {4, WireType::kBytes, "part", true},
                                {5, WireType::kFixed32, "small"}};

std::string MessageError(const std::string& bytes) {
  const auto message = WireMessage::Parse(bytes, kRules);
  return message.ok() ? "" : std::string(message.status().message());
}

TEST(WireMessageTest, ReadsWhatProtobufWrites) {
  v1::FrozenDense dense;
  dense.set_inputs(784);
  dense.set_outputs(std::int64_t{1} << 40);
  dense.set_weights_fp32("\0\1\2\3"s);
  dense.set_operator_norm_bound(1.25);
  constexpr FieldRule kDense[] = {{1, WireType::kVarint, "inputs"},
                                  {2, WireType::kVarint, "outputs"},
                                  {3, WireType::kBytes, "weights_fp32"},
                                  {4, WireType::kBytes, "bias_fp32"},
                                  {5, WireType::kFixed64, "operator_norm_bound"}};
  const std::string bytes = dense.SerializeAsString();
  const auto message = WireMessage::Parse(bytes, kDense);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->value(1), 784U);
  EXPECT_EQ(message->value(2), std::uint64_t{1} << 40);
  EXPECT_EQ(message->bytes(3), "\0\1\2\3"s);
  EXPECT_FALSE(message->has(4));
  EXPECT_EQ(message->bytes(4), "");
  EXPECT_EQ(std::bit_cast<double>(message->value(5)), 1.25);
}

TEST(WireMessageTest, ReadsNumbersOf32Bits) {
  v1::FrozenAveragePool pool;
  pool.set_scale(0.1F);
  constexpr FieldRule kPool[] = {{3, WireType::kFixed32, "scale"}};
  const std::string bytes = pool.SerializeAsString();
  EXPECT_EQ(WireMessage::Parse(bytes, kPool)->value(3), std::bit_cast<std::uint32_t>(0.1F));
}

TEST(WireMessageTest, KeepsTheOrderOfRepeatedFields) {
  const std::string bytes = "\x22\1a\x22\1b"s;
  const auto message = WireMessage::Parse(bytes, kRules);
  ASSERT_TRUE(message.ok());
  ASSERT_EQ(message->fields().size(), 2U);
  EXPECT_EQ(message->fields()[0].bytes, "a");
  EXPECT_EQ(message->fields()[1].bytes, "b");
}

TEST(WireMessageTest, RefusesWhatCouldMeanTwoThings) {
  EXPECT_THAT(MessageError("\x08\1\x08\2"s), HasSubstr("count: expected once"));
  EXPECT_THAT(MessageError("\x38\1"s), HasSubstr("got field 7"));
  EXPECT_THAT(MessageError("\x0a\1a"s), HasSubstr("count: expected wire type 0, got 2"));
  EXPECT_THAT(MessageError("\x0b\x0c"s), HasSubstr("expected wire type 0, got 3"));
  EXPECT_THAT(MessageError("\0\1"s), HasSubstr("got field 0"));
}

TEST(WireMessageTest, RefusesWhatProtobufWouldWriteOtherwise) {
  EXPECT_THAT(MessageError("\x08\x81\0"s), HasSubstr("fewest bytes"));
  EXPECT_THAT(MessageError("\x88\0\1"s), HasSubstr("fewest bytes"));
  EXPECT_THAT(MessageError("\x12\x81\0a"s), HasSubstr("fewest bytes"));
  EXPECT_THAT(MessageError("\x12\1a\x08\1"s), HasSubstr("order of their numbers, got 1 after 2"));
  EXPECT_THAT(MessageError("\x08\0"s), HasSubstr("count: expected no field"));
  EXPECT_THAT(MessageError("\x12\0"s), HasSubstr("text: expected no field"));
  EXPECT_THAT(MessageError("\x19\0\0\0\0\0\0\0\0"s), HasSubstr("number: expected no field"));
  EXPECT_EQ(MessageError("\x22\0\x22\0"s), "");  // empty texts of a list are written
  constexpr FieldRule kInner[] = {{1, WireType::kMessage, "inner"}};
  EXPECT_TRUE(WireMessage::Parse("\x0a\0"s, kInner).ok());  // and so is an empty message
}

TEST(WireMessageTest, RefusesEveryTruncation) {
  const std::string bytes = "\x08\x96\1\x12\3abc\x19\1\2\3\4\5\6\7\x08\x2d\1\2\3\4"s;
  ASSERT_EQ(MessageError(bytes), "");
  const std::size_t whole[] = {0, 3, 8, 17, bytes.size()};
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const bool is_whole = std::find(std::begin(whole), std::end(whole), size) != std::end(whole);
    EXPECT_EQ(MessageError(bytes.substr(0, size)).empty(), is_whole) << size;
  }
}

TEST(WireMessageTest, RefusesNumbersOfMoreThan64Bits) {
  EXPECT_EQ(MessageError("\x08"s + std::string(9, '\xff') + "\1"s), "");
  EXPECT_NE(MessageError("\x08"s + std::string(9, '\xff') + "\2"s), "");
  EXPECT_NE(MessageError("\x08"s + std::string(10, '\xff') + "\1"s), "");
  // A length that no message has.
  EXPECT_NE(MessageError("\x12"s + std::string(9, '\xff') + "\1"s), "");
}

TEST(WireMessageTest, ReadsPackedNumbersUpToALimit) {
  EXPECT_THAT(*ParsePacked("\1\x96\1\3"s, 3), ElementsAre(1U, 150U, 3U));
  EXPECT_FALSE(ParsePacked("\1\2\3\4"s, 3).ok());
  EXPECT_FALSE(ParsePacked("\x96"s, 3).ok());
  EXPECT_FALSE(ParsePacked("\x81\0"s, 3).ok());
}

}  // namespace
}  // namespace lipserve::verify
