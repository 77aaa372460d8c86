// SPDX-License-Identifier: Apache-2.0
#include "model/network/canonical_bytes.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace lipserve {
namespace {

// Compares what is written to it with bytes that it borrows.
class ComparingStream final : public google::protobuf::io::ZeroCopyOutputStream {
 public:
  explicit ComparingStream(const std::string& expected) : expected_(expected) {}

  bool Next(void** data, int* size) override {
    ComparePending();
    pending_ = buffer_.size();
    *data = buffer_.data();
    *size = static_cast<int>(pending_);
    return true;
  }
  void BackUp(int count) override { pending_ -= static_cast<std::size_t>(count); }
  std::int64_t ByteCount() const override {
    return static_cast<std::int64_t>(compared_ + pending_);
  }

  // Where what was written and the expected bytes differ; nullopt if they are equal. Call it last.
  std::optional<std::size_t> FirstDifference() {
    ComparePending();
    if (!difference_ && compared_ != expected_.size()) {
      difference_ = std::min(compared_, expected_.size());
    }
    return difference_;
  }

 private:
  void ComparePending() {
    for (std::size_t k = 0; k < pending_ && !difference_; ++k) {
      const std::size_t position = compared_ + k;
      if (position >= expected_.size() || expected_[position] != buffer_[k]) difference_ = position;
    }
    compared_ += pending_;
    pending_ = 0;
  }

  const std::string& expected_;
  std::array<char, 1 << 16> buffer_;
  std::size_t pending_ = 0;   // bytes of the buffer that were written since the last comparison
  std::size_t compared_ = 0;  // bytes before them
  std::optional<std::size_t> difference_;
};

void Serialize(const google::protobuf::Message& message,
               google::protobuf::io::ZeroCopyOutputStream& stream) {
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&coded);
}

}  // namespace

std::string CanonicalBytes(const google::protobuf::Message& message) {
  std::string bytes;
  bytes.reserve(message.ByteSizeLong());  // also caches the sizes
  google::protobuf::io::StringOutputStream stream(&bytes);
  Serialize(message, stream);
  return bytes;
}

absl::Status CheckCanonical(google::protobuf::Message& message, const std::string& bytes) {
  message.DiscardUnknownFields();
  static_cast<void>(message.ByteSizeLong());  // caches the sizes
  ComparingStream stream(bytes);
  Serialize(message, stream);
  const std::optional<std::size_t> difference = stream.FirstDifference();
  if (!difference) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "byte ", *difference, " of ", bytes.size(),
      ": expected the canonical form of the message, got other bytes; each known field must stand "
      "once, in the order of numbers, without defaults, in the fewest bytes; use the "
      "lipserve release that wrote the file if it is newer, or write the file again"));
}

}  // namespace lipserve
