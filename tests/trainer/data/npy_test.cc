// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/trainer/tiny_experiment.h"
#include "trainer/data/npy_dataset.h"
#include "trainer/data/npy_file.h"

namespace lipserve::trainer {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What numpy.save writes, byte for byte: version 1.0, the header padded to a multiple of 64.
std::string Npy(const std::string& descr, const std::string& shape, const std::string& data,
                const std::string& fortran_order = "False") {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + fortran_order +
                       ", 'shape': " + shape + ", }";
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string bytes = "\x93NUMPY";
  bytes += {'\x01', '\0', static_cast<char>(header.size() & 0xff),
            static_cast<char>(header.size() >> 8)};
  return bytes + header + data;
}

class NpyTest : public ::testing::Test {
 protected:
  NpyArray Read(const std::string& bytes) const {
    WriteBytes(folder_.path("a.npy"), bytes);
    const auto array = ReadNpyFile(folder_.path("a.npy"));
    EXPECT_TRUE(array.ok()) << array.status();
    return array.ok() ? *array : NpyArray();
  }
  std::string ErrorOf(const std::string& bytes) const {
    WriteBytes(folder_.path("a.npy"), bytes);
    return std::string(ReadNpyFile(folder_.path("a.npy")).status().message());
  }
  void WritePair(const std::string& images, const std::string& labels) const {
    WriteBytes(folder_.path("train_images.npy"), images);
    WriteBytes(folder_.path("train_labels.npy"), labels);
  }
  std::string DatasetError() const {
    return std::string(ReadNpyDataset(folder_.path(), WhichFiles::kAll).status().message());
  }

  const TemporaryFolder folder_;
};

TEST_F(NpyTest, ReadsBytesWithTheirShape) {
  const NpyArray array = Read(Npy("|u1", "(2, 3)", "abcdef"));
  EXPECT_THAT(array.shape, ElementsAre(2, 3));
  EXPECT_THAT(array.bytes, ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
}

TEST_F(NpyTest, ReadsIntegersOfEveryWidthSignAndByteOrder) {
  const std::string minus_two_le("\xfe\xff\xff\xff\xff\xff\xff\xff", 8);
  EXPECT_THAT(Read(Npy("<i8", "(1,)", minus_two_le)).integers, ElementsAre(-2));
  EXPECT_THAT(Read(Npy(">i4", "(1,)", std::string("\xff\xff\xff\xfe", 4))).integers,
              ElementsAre(-2));
  EXPECT_THAT(Read(Npy("<u2", "(2,)", std::string("\x01\x02\xff\xff", 4))).integers,
              ElementsAre(0x0201, 0xffff));
  EXPECT_THAT(Read(Npy("|i1", "(1,)", "\x80")).integers, ElementsAre(-128));
  EXPECT_THAT(ErrorOf(Npy("<u8", "(1,)", std::string(8, '\xff'))),
              HasSubstr("element 0: expected an integer below 2^63"));
}

TEST_F(NpyTest, ReadsTheLongHeadersOfVersionsTwoAndThree) {
  for (const char version : {'\x02', '\x03'}) {
    std::string bytes = Npy("|u1", "(1,)", "x");
    bytes[6] = version;
    bytes.insert(10, 2, '\0');  // the length takes four bytes
    EXPECT_THAT(Read(bytes).bytes, ElementsAre('x'));
  }
}

TEST_F(NpyTest, RefusesOtherElementsAndSaysHowToSaveThem) {
  EXPECT_THAT(ErrorOf(Npy("<f4", "(1,)", "abcd")),
              AllOf(HasSubstr("a.npy: expected integers"), HasSubstr("got elements '<f4'"),
                    HasSubstr("numpy.rint(array * 255).astype(numpy.uint8)")));
  EXPECT_THAT(ErrorOf(Npy("|O", "(1,)", "a")), HasSubstr("got elements '|O'"));
  EXPECT_THAT(ErrorOf(Npy("|u1", "(1, 1)", "a", "True")),
              HasSubstr("expected rows first (C order), got Fortran order: save "
                        "numpy.ascontiguousarray(array)"));
}

TEST_F(NpyTest, RefusesEveryTruncationAndEveryExtension) {
  const std::string whole = Npy("<i4", "(2,)", "abcdefgh");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    ASSERT_NE(ErrorOf(whole.substr(0, size)), "") << size;
  }
  EXPECT_THAT(ErrorOf(whole + "x"),
              HasSubstr("expected 8 bytes of data as its header says, got 9"));
}

TEST_F(NpyTest, DamagedBytesAreRefusedOrReadButNeverCrash) {
  const std::string whole = Npy("<i4", "(2,)", "abcdefgh");
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const int bit : {0, 3, 7}) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      const std::string error = ErrorOf(damaged);
      if (error.empty()) continue;
      ASSERT_THAT(error, HasSubstr("a.npy: ")) << i;
    }
  }
}

TEST_F(NpyTest, RefusesAShapeThatOverflows) {
  EXPECT_THAT(ErrorOf(Npy("|u1", "(4294967296, 4294967296, 4294967296)", "")),
              HasSubstr("its shape multiplies to more than"));
  EXPECT_THAT(ErrorOf(Npy("|u1", "(99999999999999999999,)", "")), HasSubstr("expected the header"));
}

TEST_F(NpyTest, ChannelsMayComeFirstOrLast) {
  const std::string labels = Npy("<i8", "(1,)", std::string(8, '\0'));
  WritePair(Npy("|u1", "(1, 1, 2, 3)", "rgbRGB"), Npy("|u1", "(1,)", std::string(1, '\0')));
  EXPECT_THAT(DatasetError(), HasSubstr("which can be read as either"));
  WritePair(Npy("|u1", "(1, 2, 2, 3)", "rgbRGBxyzXYZ"), labels);
  auto dataset = ReadNpyDataset(folder_.path(), WhichFiles::kAll);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->train->shape, (SampleShape{3, 2, 2}));
  EXPECT_EQ(std::string(dataset->train->pixels.begin(), dataset->train->pixels.end()),
            "rRxXgGyYbBzZ");
  WritePair(Npy("|u1", "(1, 3, 2, 2)", "rRxXgGyYbBzZ"), labels);
  dataset = ReadNpyDataset(folder_.path(), WhichFiles::kAll);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(std::string(dataset->train->pixels.begin(), dataset->train->pixels.end()),
            "rRxXgGyYbBzZ");
  WritePair(Npy("|u1", "(1, 2, 2)", "abcd"), labels);
  dataset = ReadNpyDataset(folder_.path(), WhichFiles::kAll);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->train->shape, (SampleShape{1, 2, 2}));
}

TEST_F(NpyTest, RefusesPairsThatDoNotMatch) {
  const std::string images = Npy("|u1", "(2, 1, 2)", "abcd");
  WritePair(images, Npy("|u1", "(3,)", std::string(3, '\0')));
  EXPECT_THAT(DatasetError(), AllOf(HasSubstr("train_labels.npy: expected labels of shape [2]"),
                                    HasSubstr("got [3]")));
  WritePair(images, Npy("|i1", "(2,)", "\x01\xff"));
  EXPECT_THAT(DatasetError(), HasSubstr("label 1: expected a number that is not negative, got -1"));
  WritePair(Npy("|u1", "(1, 2, 2, 2)", "abcdefgh"), Npy("|u1", "(1,)", "a"));
  EXPECT_THAT(DatasetError(), HasSubstr("with C = 1 or 3, at least one, got shape [1, 2, 2, 2]"));
  WritePair(Npy("|i1", "(2, 1, 2)", "abcd"), Npy("|u1", "(2,)", "ab"));
  EXPECT_THAT(DatasetError(), HasSubstr("train_images.npy: expected uint8 images"));
}

TEST_F(NpyTest, ReadsTheTestPairAloneIfAskedAndThere) {
  WriteBytes(folder_.path("test_images.npy"), Npy("|u1", "(1, 1, 1)", "a"));
  EXPECT_THAT(DatasetError(), HasSubstr("test_labels.npy: no such file"));
  WriteBytes(folder_.path("test_labels.npy"), Npy("|u1", "(1,)", "\x05"));
  const auto dataset = ReadNpyDataset(folder_.path(), WhichFiles::kTestIfPresent);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_FALSE(dataset->train.has_value());
  EXPECT_THAT(dataset->test->labels, ElementsAre(5));
}

}  // namespace
}  // namespace lipserve::trainer
