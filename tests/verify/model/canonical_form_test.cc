// SPDX-License-Identifier: Apache-2.0
// The server's reader and the checker's take the same bytes: the canonical form of a model file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <random>
#include <string>

#include "client/verify/model/model_file.h"
#include "model/network/model_file.h"
#include "tests/temporary_folder.h"
#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {
namespace {

using ::testing::HasSubstr;
using namespace std::string_literals;  // NOLINT(google-build-using-namespace): bytes with zeros

std::string ServerError(const std::string& bytes) {
  const TemporaryFolder folder;
  WriteBytes(folder.path("model.lip"), bytes);
  const auto read = ReadModelFile(folder.path("model.lip"));
  return read.ok() ? "" : std::string(read.status().message());
}

std::string CheckerError(const std::string& bytes) {
  const auto read = ParseModel(bytes);
  return read.ok() ? "" : std::string(read.status().message());
}

// A field whose content is stored with its length.
std::string Field(int number, const std::string& content) {
  std::string length;
  std::size_t rest = content.size();
  for (; rest >= 0x80; rest >>= 7) length += static_cast<char>((rest & 0x7f) | 0x80);
  return static_cast<char>((number << 3) | 2) + length + static_cast<char>(rest) + content;
}

FrozenModel TwoLayers() { return ModelOf(RandomNetwork(1, {6, 4, 3})); }

v1::ModelContent Content() {
  FrozenModel model = TwoLayers();
  return ContentOf(BytesOf(model));
}

TEST(CanonicalFormTest, IsWhatTheTrainerWrites) {
  FrozenModel model = TwoLayers();
  const std::string bytes = BytesOf(model);
  EXPECT_EQ(ServerError(bytes), "");
  EXPECT_EQ(CheckerError(bytes), "");
  EXPECT_EQ(Sealed(Content().SerializeAsString()), bytes);
}

TEST(CanonicalFormTest, BothReadersRefuseEveryOtherContent) {
  const v1::ModelContent content = Content();
  const std::string good = content.SerializeAsString();
  const std::string shape = Field(2, "\1\1\6"s);
  ASSERT_NE(good.find(shape), std::string::npos);
  const auto with_shape = [&](const std::string& other) {
    std::string bytes = good;
    return bytes.replace(bytes.find(shape), shape.size(), other);
  };
  // The first layer flattens: the empty message 1 of field 4.
  const std::string flatten = Field(4, Field(1, ""));
  ASSERT_NE(good.find(flatten), std::string::npos);
  const auto with_flatten = [&](const std::string& other) {
    std::string bytes = good;
    return bytes.replace(bytes.find(flatten), flatten.size(), other);
  };
  const std::map<std::string, std::string> others = {
      {"an unknown field", good + Field(15, "x")},
      {"a name twice", Field(1, "a") + good},
      {"a message in two parts", good + Field(3, "")},
      {"a shape that is not packed", with_shape("\x10\1\x10\1\x10\6"s)},
      {"a shape in two parts", with_shape(Field(2, "\1\1"s) + Field(2, "\6"s))},
      {"a number in too many bytes", with_shape(Field(2, "\1\1\x86\0"s))},
      {"a length in too many bytes", with_shape("\x12\x83\0\1\1\6"s)},
      {"a tag in too many bytes", with_shape("\x92\0\3\1\1\6"s)},
      {"two members of a oneof", with_flatten(Field(4, Field(3, "\x08\2"s) + Field(1, "")))},
      {"one member twice", with_flatten(Field(4, Field(1, "") + Field(1, "")))},
      {"an unknown field inside", with_flatten(Field(4, Field(1, Field(9, "x"))))},
      {"a default", good + "\x38\0"s},
      {"fields out of order", good.substr(flatten.size()) + flatten},
      {"a wrong wire type", with_shape("\x15\1\1\6\0"s)},
      {"a group", good + "\x7b\x7c"s},
  };
  for (const auto& [what, bytes] : others) {
    EXPECT_NE(ServerError(Sealed(bytes)), "") << what;
    EXPECT_NE(CheckerError(Sealed(bytes)), "") << what;
  }
  EXPECT_THAT(ServerError(Sealed(good + Field(15, "x"))),
              HasSubstr("ModelContent: byte " + std::to_string(good.size()) + " of "));
}

TEST(CanonicalFormTest, BothReadersRefuseEveryOtherEnvelope) {
  const std::string good = Sealed(Content().SerializeAsString());
  const std::string kind = Field(1, "lipserve.model");
  ASSERT_TRUE(good.starts_with(kind));
  const std::string rest = good.substr(kind.size());
  const std::map<std::string, std::string> others = {
      {"an unknown field", good + Field(15, "x")},
      {"a field twice", kind + good},
      {"fields out of order", rest + kind},
      {"a length in too many bytes", "\x0a\x8e\0lipserve.model"s + rest},
      {"a number in too many bytes", kind + "\x10\x81\0"s + rest.substr(2)},
  };
  for (const auto& [what, bytes] : others) {
    EXPECT_NE(ServerError(bytes), "") << what;
    EXPECT_NE(CheckerError(bytes), "") << what;
  }
}

// Bytes are changed, put in and taken out at random, under a checksum that fits.
TEST(CanonicalFormTest, WhatTheServerReadsTheCheckerReads) {
  const std::string good = Content().SerializeAsString();
  std::mt19937_64 random(20);
  int read_by_both = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    std::string bytes = good;
    const std::size_t place = random() % bytes.size();
    switch (random() % 3) {
      case 0:
        bytes[place] = static_cast<char>(random() % 256);
        break;
      case 1:
        bytes.insert(place, 1, static_cast<char>(random() % 256));
        break;
      default:
        bytes.erase(place, 1);
    }
    if (ServerError(Sealed(bytes)).empty()) {
      EXPECT_EQ(CheckerError(Sealed(bytes)), "") << trial;
      ++read_by_both;
    }
  }
  EXPECT_GT(read_by_both, 100);  // other weights, other labels
}

}  // namespace
}  // namespace lipserve::verify
