// SPDX-License-Identifier: Apache-2.0
#include "proto/text/proto_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lipserve/v1/recipe.pb.h"
#include "proto/text/near_name.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string ErrorOf(const std::string& text) {
  v1::Recipe recipe;
  const absl::Status status = ParseProtoText(text, "a.textproto", recipe);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(ProtoTextTest, ReadsAMessageAndSaysWhereItsFieldsStand) {
  v1::Recipe recipe;
  google::protobuf::TextFormat::ParseInfoTree locations;
  ASSERT_TRUE(ParseProtoText("name: 'a'\n  epochs: 3\n", "a", recipe, &locations).ok());
  EXPECT_EQ(recipe.name(), "a");
  EXPECT_EQ(recipe.epochs(), 3);
  const auto* epochs = v1::Recipe::descriptor()->FindFieldByName("epochs");
  EXPECT_EQ(locations.GetLocation(epochs, -1).line, 1);  // counted from 0
}

TEST(ProtoTextTest, PlacesAMistakeAndSuggestsTheNearestField) {
  EXPECT_THAT(ErrorOf("name: 'a'\nepoch: 3\n"),
              AllOf(StartsWith("a.textproto:2:"), HasSubstr("no field named \"epoch\""),
                    HasSubstr("Did you mean \"epochs\"?")));
}

TEST(ProtoTextTest, SuggestsFieldsOfTheMessageThatTheMistakeIsIn) {
  EXPECT_THAT(ErrorOf("dataset { pixel_diviser: 255 }"),
              HasSubstr("Did you mean \"pixel_divisor\"?"));
}

TEST(NearNameTest, FindsTheNameThatIsFewestEditsAway) {
  const std::vector<std::string> names = {"--recipe", "--resume", "--seed", "train"};
  EXPECT_EQ(NearName("--recip", names), "--recipe");
  EXPECT_EQ(NearName("--reusme", names), "--resume");
  EXPECT_EQ(NearName("--sed", names), "--seed");
  EXPECT_EQ(NearName("trian", names), "train");
  EXPECT_EQ(NearName("--verbose", names), "");
  EXPECT_EQ(NearName("", names), "");
}

}  // namespace
}  // namespace lipserve
