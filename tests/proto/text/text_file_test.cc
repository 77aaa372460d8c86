// SPDX-License-Identifier: Apache-2.0
#include "proto/text/text_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/temporary_folder.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

TEST(TextFileTest, ReadsATextUpToItsLimit) {
  const TemporaryFolder folder;
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{1} << 20}) {
    WriteBytes(folder.path("text"), std::string(size, 'a'));
    const auto text = ReadTextFile(folder.path("text"));
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_EQ(*text, std::string(size, 'a'));
  }
}

TEST(TextFileTest, RefusesWhatHasNoEndOrIsNoFile) {
  const TemporaryFolder folder;
  WriteBytes(folder.path("text"), std::string((std::size_t{1} << 20) + 1, 'a'));
  EXPECT_THAT(ReadTextFile(folder.path("text")).status().ToString(), HasSubstr("at most 1048576"));
  EXPECT_THAT(ReadTextFile("/dev/zero").status().ToString(), HasSubstr("at most 1048576"));
  EXPECT_THAT(ReadTextFile(folder.path()).status().ToString(), HasSubstr("Is a directory"));
  EXPECT_EQ(ReadTextFile(folder.path("none")).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace lipserve
