// SPDX-License-Identifier: Apache-2.0
#include "model/network/sealed_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "lipserve/v1/sealed_file.pb.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

SealedFileKind Kind() { return {.kind = "lipserve.test", .format_version = 3}; }

std::string ReadAll(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << stream.rdbuf();
  return bytes.str();
}

void WriteAll(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class SealedFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = ::testing::TempDir() + "sealed_" + info->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    path_ = folder_ + "/file";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  std::string path_;
};

TEST_F(SealedFileTest, ReadsBackWhatWasWritten) {
  const std::string content("a\0b", 3);
  ASSERT_TRUE(WriteSealedFile(path_, Kind(), content).ok());
  const auto read = ReadSealedFile(path_, Kind());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->bytes, content);
  EXPECT_EQ(read->sha256, Sha256(content));
}

TEST_F(SealedFileTest, Sha256IsTheStandardOne) {
  // FIPS 180-4 example "abc".
  EXPECT_EQ(ToHex(Sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(SealedFileTest, EveryFlippedByteIsRefused) {
  ASSERT_TRUE(WriteSealedFile(path_, Kind(), "some content").ok());
  const std::string good = ReadAll(path_);
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char mask : {'\x01', '\x80', '\x20'}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ mask);
      WriteAll(path_, bad);
      const auto read = ReadSealedFile(path_, Kind());
      EXPECT_FALSE(read.ok()) << "byte " << i;
    }
  }
}

TEST_F(SealedFileTest, EveryTruncationIsRefused) {
  ASSERT_TRUE(WriteSealedFile(path_, Kind(), "some content").ok());
  const std::string good = ReadAll(path_);
  for (std::size_t size = 0; size < good.size(); ++size) {
    WriteAll(path_, good.substr(0, size));
    EXPECT_FALSE(ReadSealedFile(path_, Kind()).ok()) << size << " bytes";
  }
}

TEST_F(SealedFileTest, AnotherKindOrVersionIsRefusedSayingBoth) {
  ASSERT_TRUE(WriteSealedFile(path_, Kind(), "x").ok());
  auto read = ReadSealedFile(path_, {.kind = "lipserve.other", .format_version = 3});
  EXPECT_THAT(read.status().ToString(), HasSubstr("expected lipserve.other, got lipserve.test"));
  read = ReadSealedFile(path_, {.kind = "lipserve.test", .format_version = 2});
  EXPECT_THAT(read.status().ToString(), HasSubstr("this program reads 2, the file has 3"));
}

TEST_F(SealedFileTest, AWrongChecksumIsDataLoss) {
  v1::SealedFile file;
  file.set_kind("lipserve.test");
  file.set_format_version(3);
  file.set_content("x");
  file.set_content_sha256(Sha256("y"));
  WriteAll(path_, file.SerializeAsString());
  EXPECT_EQ(ReadSealedFile(path_, Kind()).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SealedFileTest, AMissingFileIsNotFound) {
  EXPECT_EQ(ReadSealedFile(path_, Kind()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SealedFileTest, AFailedWriteLeavesTheOldFileAndNoTemporary) {
  ASSERT_TRUE(WriteSealedFile(path_, Kind(), "old").ok());
  // Renaming a file onto a folder fails after the temporary was written.
  const std::string blocked = folder_ + "/blocked";
  std::filesystem::create_directories(blocked + "/inside");
  EXPECT_FALSE(WriteSealedFile(blocked, Kind(), "new").ok());
  EXPECT_FALSE(WriteSealedFile(folder_ + "/absent/file", Kind(), "new").ok());
  EXPECT_EQ(ReadSealedFile(path_, Kind())->bytes, "old");
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) {
    ++entries;
  }
  EXPECT_EQ(entries, 2U);  // the old file and the folder in the way
}

}  // namespace
}  // namespace lipserve
