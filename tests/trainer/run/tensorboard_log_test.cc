// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/tensorboard_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lipserve/v1/tensorboard.pb.h"
#include "tests/trainer/tiny_experiment.h"

namespace lipserve::trainer {
namespace {

using ::testing::HasSubstr;

// The events of a file. FileHasTheBytesThatTensorBoardReads checks the checksums around them.
std::vector<v1::TensorBoardEvent> ReadEvents(const std::string& path) {
  const std::string bytes = ReadBytes(path);
  std::vector<v1::TensorBoardEvent> events;
  for (std::size_t at = 0; at < bytes.size();) {
    // Events of this test are shorter than 256 bytes.
    const std::size_t length = static_cast<unsigned char>(bytes.at(at));
    EXPECT_TRUE(events.emplace_back().ParseFromString(bytes.substr(at + 12, length)));
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
  const auto log = TensorBoardLog::Create(folder.path("logs/run"), [&now] { return now; });
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ((*log)->path(), folder.path("logs/run/events.out.tfevents.1700000000.lipserve"));
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

// Two records written by hand, with checksums from google-crc32c 1.9.0. TensorBoard 2.21 reads this
// file, and stops at a record whose checksum is wrong.
TEST(TensorBoardLogTest, FileHasTheBytesThatTensorBoardReads) {
  const TemporaryFolder folder;
  const auto log = TensorBoardLog::Create(folder.path(), [] { return 1.0; });
  ASSERT_TRUE(log.ok()) << log.status();
  v1::EpochRecord record;
  record.set_epoch(7);
  v1::NamedValue& metric = *record.add_metrics();
  metric.set_name("loss");
  metric.set_value(1.0);
  (*log)->OnEpochEnd(record);
  constexpr std::string_view kExpected(
      "\x18\x00\x00\x00\x00\x00\x00\x00"      // 24 bytes follow the next checksum
      "\xa3\x7f\x4b\x22"                      // checksum of the length
      "\x09\x00\x00\x00\x00\x00\x00\xf0\x3f"  // 1: double wall_time
      "\x1a\x0d"                              // 3: string file_version, 13 bytes
      "brain.Event:2"
      "\x86\xbf\x57\x7a"                      // checksum of the 24 bytes
      "\x20\x00\x00\x00\x00\x00\x00\x00"      // 32 bytes follow the next checksum
      "\x29\xed\xa9\x50"                      // checksum of the length
      "\x09\x00\x00\x00\x00\x00\x00\xf0\x3f"  // 1: double wall_time
      "\x10\x07"                              // 2: int64 step
      "\x2a\x13"                              // 5: Summary, 19 bytes
      "\x0a\x11"                              // 1: repeated Value, 17 bytes
      "\x0a\x0a"                              // 1: string tag, 10 bytes
      "loss/train"
      "\x15\x00\x00\x80\x3f"  // 2: float simple_value
      "\x1e\x90\xf7\xfb",     // checksum of the 32 bytes
      40 + 48);
  EXPECT_EQ(ReadBytes((*log)->path()), kExpected);
}

TEST(TensorBoardLogTest, NamesAFolderThatCannotBeWrittenAndAFileThatIsThere) {
  const TemporaryFolder folder;
  WriteBytes(folder.path("file"), "");
  const auto clock = [] { return 5.0; };
  EXPECT_THAT(
      std::string(TensorBoardLog::Create(folder.path("file/logs"), clock).status().message()),
      HasSubstr("file/logs: cannot write the TensorBoard log: Not a directory"));
  ASSERT_TRUE(TensorBoardLog::Create(folder.path(), clock).ok());
  EXPECT_EQ(TensorBoardLog::Create(folder.path(), clock).status().code(),
            absl::StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace lipserve::trainer
