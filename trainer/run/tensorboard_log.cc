// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/tensorboard_log.h"

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lipserve/v1/tensorboard.pb.h"
#include "model/foundation/status_macros.h"

namespace lipserve::trainer {
namespace {

constexpr char kFileVersion[] = "brain.Event:2";
constexpr char kValidationPrefix[] = "val_";

absl::Status CannotWrite(const std::string& path, const std::string& reason) {
  return absl::InternalError(
      absl::StrCat(path, ": cannot write the TensorBoard log: ", reason, "; check --tensorboard"));
}

template <typename Integer>
std::string LittleEndian(Integer value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(value); ++i) {
    bytes.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
  }
  return bytes;
}

// CRC-32C, bit by bit: a record has a few hundred bytes.
//
// Source: RFC 3720, section 12.1.
std::uint32_t Crc32c(const std::string& bytes) {
  constexpr std::uint32_t kReflectedPolynomial = 0x82f63b78U;
  std::uint32_t remainder = ~0U;
  for (const char byte : bytes) {
    remainder ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1U) ^ ((remainder & 1U) != 0 ? kReflectedPolynomial : 0U);
    }
  }
  return ~remainder;
}

// The checksum of a record: a rotated CRC-32C plus a constant.
//
// Source: TensorFlow, tsl/lib/hash/crc32c.h, Mask.
std::uint32_t MaskedCrc32c(const std::string& bytes) {
  return std::rotr(Crc32c(bytes), 15) + 0xa282ead8U;
}

std::string Tag(const std::string& metric) {
  if (!metric.starts_with(kValidationPrefix)) return metric + "/train";
  return metric.substr(std::strlen(kValidationPrefix)) + "/validation";
}

}  // namespace

absl::StatusOr<std::unique_ptr<TensorBoardLog>> TensorBoardLog::Create(const std::string& folder,
                                                                       WallClock clock) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return CannotWrite(folder, error.message());
  const std::string name =
      absl::StrCat("events.out.tfevents.", static_cast<std::int64_t>(clock()), ".lipserve");
  const std::string path = (std::filesystem::path(folder) / name).string();
  if (std::filesystem::exists(path, error)) {
    return absl::AlreadyExistsError(
        absl::StrCat(path, ": expected no TensorBoard log of this second; try again"));
  }
  errno = 0;
  std::unique_ptr<TensorBoardLog> log(new TensorBoardLog(path, std::move(clock)));
  v1::TensorBoardEvent version;
  version.set_wall_time(log->clock_());
  version.set_file_version(kFileVersion);
  log->Write(version.SerializeAsString());
  LIPSERVE_RETURN_IF_ERROR(log->status());
  return log;
}

TensorBoardLog::TensorBoardLog(std::string path, WallClock clock)
    : path_(std::move(path)), clock_(std::move(clock)), file_(path_, std::ios::binary) {}

void TensorBoardLog::OnEpochEnd(const v1::EpochRecord& record) {
  v1::TensorBoardEvent event;
  event.set_wall_time(clock_());
  event.set_step(record.epoch());
  for (const v1::NamedValue& metric : record.metrics()) {
    v1::TensorBoardValue& value = *event.mutable_summary()->add_value();
    value.set_tag(Tag(metric.name()));
    value.set_simple_value(static_cast<float>(metric.value()));
  }
  Write(event.SerializeAsString());
}

absl::Status TensorBoardLog::status() const {
  if (file_) return absl::OkStatus();
  return CannotWrite(path_, errno == 0 ? "unknown reason" : std::strerror(errno));
}

void TensorBoardLog::Write(const std::string& event) {
  const std::string length = LittleEndian(std::uint64_t{event.size()});
  file_ << length << LittleEndian(MaskedCrc32c(length)) << event
        << LittleEndian(MaskedCrc32c(event)) << std::flush;
}

}  // namespace lipserve::trainer
