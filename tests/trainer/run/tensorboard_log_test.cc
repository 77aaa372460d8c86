// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/tensorboard_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lipserve/v1/tensorboard.pb.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/run/crc32c.h"

namespace lipserve::trainer {
namespace {

using ::testing::HasSubstr;

// Vectors of RFC 3720, appendix B.4, and the check value that catalogues of CRCs give.
TEST(Crc32cTest, MatchesTheVectorsOfTheStandard) {
  EXPECT_EQ(Crc32c(""), 0U);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  std::string rising;
  for (int i = 0; i < 32; ++i) rising.push_back(static_cast<char>(i));
  EXPECT_EQ(Crc32c(rising), 0x46dd794eU);
}

// rotate right by 15, plus 0xa282ead8, of the value above.
TEST(Crc32cTest, MaskIsThatOfTensorFlow) {
  EXPECT_EQ(MaskedCrc32c("123456789"),
            static_cast<std::uint32_t>(((0xe3069283ULL >> 15U) | (0xe3069283ULL << 17U)) +
                                       0xa282ead8ULL));
}

template <typename Integer>
Integer ReadLittleEndian(const std::string& bytes, std::size_t at) {
  Integer value = 0;
  for (std::size_t i = sizeof(Integer); i-- > 0;) {
    value = static_cast<Integer>((value << 8U) | static_cast<unsigned char>(bytes.at(at + i)));
  }
  return value;
}

// Reads records as TensorFlow's reader does, checking every checksum.
std::vector<v1::TensorBoardEvent> ReadEvents(const std::string& path) {
  const std::string bytes = ReadBytes(path);
  std::vector<v1::TensorBoardEvent> events;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto length = static_cast<std::size_t>(ReadLittleEndian<std::uint64_t>(bytes, at));
    EXPECT_EQ(ReadLittleEndian<std::uint32_t>(bytes, at + 8), MaskedCrc32c(bytes.substr(at, 8)));
    const std::string data = bytes.substr(at + 12, length);
    EXPECT_EQ(ReadLittleEndian<std::uint32_t>(bytes, at + 12 + length), MaskedCrc32c(data));
    EXPECT_TRUE(events.emplace_back().ParseFromString(data));
    at += 16 + length;
  }
  return events;
}

v1::EpochRecord Record(std::int64_t epoch) {
  v1::EpochRecord record;
  record.set_epoch(epoch);
  for (const char* name : {"loss", "val_loss", "val_accuracy"}) {
    v1::NamedValue& metric = *record.add_metrics();
    metric.set_name(name);
    metric.set_value(static_cast<double>(epoch) + 0.5);
  }
  return record;
}

TEST(TensorBoardLogTest, WritesAVersionAndThenTheMetricsOfEachEpoch) {
  const TemporaryFolder folder;
  double now = 1'700'000'000.25;
  const auto log = TensorBoardLog::Create(folder / "logs/run", [&now] { return now; });
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ((*log)->path(), folder / "logs/run/events.out.tfevents.1700000000.lipserve");
  now += 1.0;
  (*log)->OnEpochEnd(Record(1));
  (*log)->OnEpochEnd(Record(2));
  EXPECT_TRUE((*log)->status().ok());
  const auto events = ReadEvents((*log)->path());
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[1].wall_time(), 1'700'000'001.25);
  EXPECT_EQ(events[2].step(), 2);
  ASSERT_EQ(events[2].summary().value_size(), 3);
  EXPECT_EQ(events[2].summary().value(0).tag(), "loss/train");
  EXPECT_EQ(events[2].summary().value(1).tag(), "loss/validation");
  EXPECT_EQ(events[2].summary().value(2).tag(), "accuracy/validation");
  EXPECT_EQ(events[2].summary().value(2).simple_value(), 2.5F);
}

// {wall_time: 1, step: 7, a point of one curve} by hand, as tensorflow.Event writes it.
TEST(TensorBoardLogTest, EventsHaveTheFieldNumbersOfTensorFlow) {
  v1::TensorBoardEvent event;
  event.set_wall_time(1.0);
  event.set_step(7);
  v1::TensorBoardValue& value = *event.mutable_summary()->add_value();
  value.set_tag("a");
  value.set_simple_value(1.0F);
  const std::string expected(
      "\x09\x00\x00\x00\x00\x00\x00\xf0\x3f"  // 1: double wall_time
      "\x10\x07"                              // 2: int64 step
      "\x2a\x0a"                              // 5: Summary, 10 bytes
      "\x0a\x08"                              // 1: repeated Value, 8 bytes
      "\x0a\x01\x61"                          // 1: string tag
      "\x15\x00\x00\x80\x3f",                 // 2: float simple_value
      9 + 2 + 2 + 2 + 3 + 5);
  EXPECT_EQ(event.SerializeAsString(), expected);
}

TEST(TensorBoardLogTest, NamesAFolderThatCannotBeWrittenAndAFileThatIsThere) {
  const TemporaryFolder folder;
  WriteBytes(folder / "file", "");
  const auto clock = [] { return 5.0; };
  EXPECT_THAT(std::string(TensorBoardLog::Create(folder / "file/logs", clock).status().message()),
              HasSubstr("file/logs: cannot write the TensorBoard log: Not a directory"));
  ASSERT_TRUE(TensorBoardLog::Create(folder.path(), clock).ok());
  EXPECT_EQ(TensorBoardLog::Create(folder.path(), clock).status().code(),
            absl::StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace lipserve::trainer
