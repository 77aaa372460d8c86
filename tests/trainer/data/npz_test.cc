// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "trainer/data/npz_file.h"

namespace lipserve::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Little(std::uint64_t number, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<char>(number >> (8 * i)));
  return bytes;
}

// What numpy.save writes.
std::string SavedArray(const std::string& descr, const std::string& shape,
                       const std::string& data) {
  const std::string header =
      "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
  return "\x93NUMPY" + std::string("\1\0", 2) + Little(header.size(), 2) + header + data;
}

std::string Floats(std::initializer_list<float> numbers) {
  return {reinterpret_cast<const char*>(numbers.begin()), numbers.size() * sizeof(float)};
}

std::string Deflated(const std::string& content) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string result(content.size() + 100, '\0');
  std::string input = content;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

// An archive with the files x.npy (stored) and y.npy (compressed).
std::string Archive(const std::string& x, const std::string& y) {
  std::string bytes;
  std::string directory;
  const auto add = [&](const std::string& name, const std::string& content, bool compress) {
    const std::string data = compress ? Deflated(content) : content;
    const std::string common = Little(20, 2) + Little(0, 2) + Little(compress ? 8 : 0, 2) +
                               Little(0, 8) + Little(data.size(), 4) + Little(content.size(), 4) +
                               Little(name.size(), 2);
    directory += "PK\1\2" + Little(20, 2) + common + Little(0, 2) + Little(0, 2) + Little(0, 2) +
                 Little(0, 2) + Little(0, 4) + Little(bytes.size(), 4) + name;
    bytes += "PK\3\4" + common + Little(0, 2) + name + data;
  };
  add("x.npy", x, false);
  add("y.npy", y, true);
  return bytes + directory + "PK\5\6" + Little(0, 4) + Little(2, 2) + Little(2, 2) +
         Little(directory.size(), 4) + Little(bytes.size(), 4) + Little(0, 2);
}

class NpzTest : public ::testing::Test {
 protected:
  void SetUp() override { path_ = ::testing::TempDir() + "archive.npz"; }
  void TearDown() override { std::filesystem::remove(path_); }

  absl::StatusOr<std::map<std::string, NpyNumbers>> Read(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return ReadNpzFile(path_);
  }

  const std::string good_ = Archive(SavedArray("<f4", "(2, 2)", Floats({1, 2.5, -3, 4})),
                                    SavedArray("|i1", "(3,)", "\1\xff\3"));
  std::string path_;
};

TEST_F(NpzTest, ReadsStoredAndCompressedArrays) {
  const auto arrays = Read(good_);
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  EXPECT_THAT(arrays->at("x").shape, ElementsAre(2, 2));
  EXPECT_THAT(arrays->at("x").numbers, ElementsAre(1.0, 2.5, -3.0, 4.0));
  EXPECT_THAT(arrays->at("y").numbers, ElementsAre(1.0, -1.0, 3.0));
}

TEST_F(NpzTest, LeavesOutWhatAreNoNumbers) {
  const auto arrays = Read(
      Archive(SavedArray("<U4", "(1,)", std::string(16, 'a')), SavedArray("|b1", "(1,)", "\1")));
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  EXPECT_EQ(arrays->size(), 1U);
}

TEST_F(NpzTest, RefusesEveryCutFile) {
  for (std::size_t size = 0; size < good_.size(); ++size) {
    const auto arrays = Read(good_.substr(0, size));
    EXPECT_FALSE(arrays.ok()) << size;
  }
  EXPECT_THAT(std::string(Read("no archive").status().message()),
              HasSubstr("expected an archive saved by numpy.savez"));
}

TEST_F(NpzTest, SurvivesEveryDamagedByte) {
  for (std::size_t at = 0; at < good_.size(); ++at) {
    std::string damaged = good_;
    damaged[at] = static_cast<char>(~damaged[at]);
    const auto arrays = Read(damaged);
    if (arrays.ok()) continue;
    EXPECT_THAT(std::string(arrays.status().message()), HasSubstr("archive.npz"));
  }
}

}  // namespace
}  // namespace lipserve::trainer
