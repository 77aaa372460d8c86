// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/inference_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

InferParameters WithText(const std::string& name, const std::string& text) {
  InferParameters parameters;
  parameters[name].set_string_param(text);
  return parameters;
}

// As the parameter of an input and of an output.
void ExpectRefused(const std::string& name, const std::string& text, const std::string& message) {
  const InferParameters parameters = WithText(name, text);
  for (const absl::Status& status :
       {CheckInputParameters("t", parameters), DecodeClassification("t", parameters).status()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name;
    EXPECT_EQ(std::string(status.message()), "t.parameters['" + name + "']: " + message);
  }
}

TEST(InferenceParametersTest, ATensorRefusesWorkThatTheServerDoesNotDo) {
  for (const char* name : {"scale", "Layout", "normalize", "mean", "datatype", "byte_order"}) {
    ExpectRefused(name, "1",
                  "expected none, because images are taken as they are; apply it before you send "
                  "them");
  }
}

TEST(InferenceParametersTest, ATensorRefusesParametersOfOtherPlacesAlsoMistyped) {
  const std::pair<const char*, const char*> names[] = {{"epsilon", "epsilon"},
                                                       {"EPSILOM", "epsilon"},
                                                       {"radius_precision", "radius_precision"},
                                                       {"time_out", "timeout"},
                                                       {"priority", "priority"}};
  for (const auto& [name, meant] : names) {
    ExpectRefused(
        name, "1",
        absl::StrCat("expected '", meant, "' among the parameters of the request, not here"));
  }
  ExpectRefused("clasification", "1",
                "expected 'classification' among the parameters of the output 'scores', not here");
}

TEST(InferenceParametersTest, AContentTypeSaysThatElementsArePlain) {
  for (const char* plain : {"np", "pd"}) {
    EXPECT_TRUE(CheckInputParameters("t", WithText("content_type", plain)).ok());
    EXPECT_TRUE(DecodeClassification("t", WithText("content_type", plain)).ok());
  }
  for (const std::string other : {"base64", "str", "", "NP"}) {
    ExpectRefused("content_type", other,
                  "expected 'np', 'pd' or no content_type, because tensors hold plain elements of "
                  "their datatype, got '" +
                      other + "'");
  }
}

TEST(InferenceParametersTest, AnythingElseIsNoBusinessOfTheServer) {
  for (const char* name : {"binary_data_size", "binary_data", "headers", "my own", ""}) {
    EXPECT_TRUE(CheckInputParameters("t", WithText(name, "any")).ok());
    const auto classes = DecodeClassification("t", WithText(name, "any"));
    ASSERT_TRUE(classes.ok());
    EXPECT_EQ(*classes, 0U);
  }
}

// Each is compared with every known name, so their number and their lengths are bounded.
TEST(InferenceParametersTest, ThereAreAtMost64) {
  InferParameters parameters;
  for (int i = 0; i < 64; ++i) parameters[absl::StrCat(i, std::string(100000, 'e'))].Clear();
  EXPECT_TRUE(CheckInputParameters("t", parameters).ok());
  parameters["one more"].Clear();
  EXPECT_THAT(std::string(CheckInputParameters("t", parameters).message()),
              HasSubstr("t.parameters: expected at most 64, got 65"));
  EXPECT_THAT(std::string(DecodeClassification("t", parameters).status().message()),
              HasSubstr("t.parameters: expected at most 64, got 65"));
}

TEST(InferenceParametersTest, SharedMemoryIsElsewhere) {
  for (const char* name : {"shared_memory_region", "shared_memory_offset"}) {
    const absl::Status status = CheckInputParameters("t", WithText(name, "region"));
    EXPECT_TRUE(absl::IsUnimplemented(status));
    EXPECT_THAT(std::string(status.message()), StartsWith("t.parameters['shared_memory_"));
  }
}

}  // namespace
}  // namespace lipserve
