// SPDX-License-Identifier: Apache-2.0
#include "proto/idx/idx_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace lipserve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Two images of 2 x 3.
const std::string kHeader("\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x03", 16);
const std::string kValues("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\xfe\xff", 12);

class IdxFileTest : public ::testing::Test {
 protected:
  IdxFileTest() : folder_(::testing::TempDir() + "idx_file_test." + TestName()) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~IdxFileTest() override { std::filesystem::remove_all(folder_); }

  static std::string TestName() {
    return ::testing::UnitTest::GetInstance()->current_test_info()->name();
  }

  std::string Write(const std::string& bytes) const {
    const std::string path = folder_ + "/array-idx3-ubyte";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  std::string Zip(const std::string& bytes) const {
    const std::string path = folder_ + "/zipped.gz";
    gzFile file = gzopen(path.c_str(), "wb9");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  static void ExpectError(const absl::StatusOr<IdxArray>& result, absl::StatusCode code,
                          const std::string& part) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.status().code(), code) << result.status();
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(part));
  }

  const std::string folder_;
};

void ExpectTwoImages(const absl::StatusOr<IdxArray>& result) {
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->dimensions, ElementsAre(2, 2, 3));
  EXPECT_THAT(result->values, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xfe, 0xff));
}

TEST_F(IdxFileTest, ReadsPlainBytesInFileOrder) {
  ExpectTwoImages(ReadIdxFile(Write(kHeader + kValues)));
}

TEST_F(IdxFileTest, ReadsGzipWhateverTheFileIsCalled) {
  ExpectTwoImages(ReadIdxFile(Write(Zip(kHeader + kValues))));
}

TEST_F(IdxFileTest, ReadsAnArrayWithoutElements) {
  const auto result = ReadIdxFile(Write(std::string("\x00\x00\x08\x01\x00\x00\x00\x00", 8)));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->dimensions, ElementsAre(0));
  EXPECT_TRUE(result->values.empty());
}

TEST_F(IdxFileTest, ReadsTheMnistTestLabels) {
  const auto result = ReadIdxFile(MNIST_FOLDER "/t10k-labels-idx1-ubyte.gz");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->dimensions, ElementsAre(10000));
  EXPECT_EQ(result->values[0], 7);
}

TEST_F(IdxFileTest, RefusesEveryTruncationOfAPlainFile) {
  const std::string whole = kHeader + kValues;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    ExpectError(ReadIdxFile(Write(whole.substr(0, size))), absl::StatusCode::kInvalidArgument,
                "truncated");
  }
}

TEST_F(IdxFileTest, RefusesEveryTruncationOfAGzipFile) {
  const std::string zipped = Zip(kHeader + kValues);
  for (std::size_t size = 0; size < zipped.size(); ++size) {
    SCOPED_TRACE(size);
    EXPECT_FALSE(ReadIdxFile(Write(zipped.substr(0, size))).ok());
  }
}

TEST_F(IdxFileTest, SaysThatATruncatedGzipFileIsCorrupt) {
  const std::string zipped = Zip(kHeader + kValues);
  ExpectError(ReadIdxFile(Write(zipped.substr(0, zipped.size() - 4))), absl::StatusCode::kDataLoss,
              "gzip");
}

TEST_F(IdxFileTest, RefusesEveryFlippedBitOfAGzipStream) {
  constexpr std::size_t kGzipHeader = 10;  // its time stamp and flags protect nothing
  const std::string zipped = Zip(kHeader + kValues);
  for (std::size_t byte = kGzipHeader; byte < zipped.size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      SCOPED_TRACE(::testing::Message() << "byte " << byte << " bit " << bit);
      std::string corrupt = zipped;
      corrupt[byte] = static_cast<char>(corrupt[byte] ^ (1 << bit));
      EXPECT_FALSE(ReadIdxFile(Write(corrupt)).ok());
    }
  }
}

TEST_F(IdxFileTest, SaysThatAFlippedChecksumIsCorrupt) {
  std::string zipped = Zip(kHeader + kValues);
  zipped[zipped.size() - 8] = static_cast<char>(zipped[zipped.size() - 8] ^ 1);
  ExpectError(ReadIdxFile(Write(zipped)), absl::StatusCode::kDataLoss, "gzip");
}

TEST_F(IdxFileTest, RefusesBytesThatAreNotIdxNamingThem) {
  ExpectError(ReadIdxFile(Write("PNG is not idx")), absl::StatusCode::kInvalidArgument,
              "50 4e 47 20");
}

TEST_F(IdxFileTest, RefusesAnArrayWithoutDimensions) {
  ExpectError(ReadIdxFile(Write(std::string("\x00\x00\x08\x00\x07", 5))),
              absl::StatusCode::kInvalidArgument, "not an idx file");
}

TEST_F(IdxFileTest, RefusesOtherElementTypesNamingThem) {
  ExpectError(
      ReadIdxFile(Write(std::string("\x00\x00\x0d\x01\x00\x00\x00\x01\x00\x00\x00\x00", 12))),
      absl::StatusCode::kInvalidArgument, "0x0d");
}

TEST_F(IdxFileTest, RefusesMoreDataThanTheHeaderSays) {
  ExpectError(ReadIdxFile(Write(kHeader + kValues + "x")), absl::StatusCode::kInvalidArgument,
              "longer than its header says");
  ExpectError(ReadIdxFile(Write(Zip(kHeader + kValues + "x"))), absl::StatusCode::kInvalidArgument,
              "longer than its header says");
}

TEST_F(IdxFileTest, RefusesDimensionsWhoseProductOverflows) {
  std::string header("\x00\x00\x08\x04", 4);
  for (int axis = 0; axis < 4; ++axis) header += "\xff\xff\xff\xff";
  ExpectError(ReadIdxFile(Write(header)), absl::StatusCode::kInvalidArgument, "multiply to more");
}

TEST_F(IdxFileTest, RefusesOverflowingDimensionsThoughOneIsZero) {
  std::string header("\x00\x00\x08\x04", 4);
  for (int axis = 0; axis < 3; ++axis) header += "\xff\xff\xff\xff";
  header += std::string(4, '\0');
  ExpectError(ReadIdxFile(Write(header)), absl::StatusCode::kInvalidArgument, "multiply to more");
}

TEST_F(IdxFileTest, AllocatesForTheDataThatIsThereNotForWhatTheHeaderClaims) {
  // 4 GiB - 1 byte are claimed.
  const std::string path = Write(std::string("\x00\x00\x08\x01\xff\xff\xff\xff", 8) + "few");
  EXPECT_EXIT(
      {
        rusage before{};
        getrusage(RUSAGE_SELF, &before);
        const auto result = ReadIdxFile(path);
        rusage after{};
        getrusage(RUSAGE_SELF, &after);
        const long grown_kib = after.ru_maxrss - before.ru_maxrss;
        std::_Exit(!result.ok() && grown_kib < 200 * 1024 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(IdxFileTest, NamesAMissingFileAndTheReason) {
  ExpectError(ReadIdxFile(folder_ + "/missing"), absl::StatusCode::kNotFound,
              "missing: cannot open: No such file");
}

TEST_F(IdxFileTest, RefusesAFolder) { EXPECT_FALSE(ReadIdxFile(folder_).ok()); }

}  // namespace
}  // namespace lipserve
