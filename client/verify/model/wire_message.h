// SPDX-License-Identifier: Apache-2.0
// Trusted: reads protobuf's wire format without the protobuf library, and more strictly. A message
// is accepted only in its canonical form, which the server asks for too: no field that the rules do
// not name, fields in the order of their numbers, singular fields once and never with their
// default, numbers in the fewest bytes, no groups.
//
// Source: https://protobuf.dev/programming-guides/encoding, /serialization-not-canonical
#ifndef CLIENT_VERIFY_MODEL_WIRE_MESSAGE_H_
#define CLIENT_VERIFY_MODEL_WIRE_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipserve::verify {

// `status` with its message prefixed by `place`, where the error arose.
absl::Status StatusAt(const std::string& place, const absl::Status& status);

// How a field is stored; the last three bits are the number of the format. A message is stored as
// bytes, but may be empty.
enum class WireType : std::uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kFixed32 = 5,
  kMessage = 8 + 2,
};

// A field that a message may have.
struct FieldRule {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  const char* name = "";
  bool repeated = false;
};

// One field of a message.
struct WireField {
  std::uint32_t number = 0;
  std::uint64_t value = 0;      // numbers
  std::string_view bytes = {};  // kBytes and kMessage; borrowed from the message
};

// The fields of one message, in its order. Borrows the message's bytes.
class WireMessage {
 public:
  // Errors: InvalidArgument, naming the byte, what was expected and what was found.
  static absl::StatusOr<WireMessage> Parse(std::string_view bytes,
                                           std::span<const FieldRule> rules);

  const std::vector<WireField>& fields() const { return fields_; }
  bool has(std::uint32_t number) const { return Find(number) != nullptr; }
  // The value of a singular field; 0 or empty if the message has none, as in proto3.
  std::uint64_t value(std::uint32_t number) const;
  std::string_view bytes(std::uint32_t number) const;

 private:
  const WireField* Find(std::uint32_t number) const;

  std::vector<WireField> fields_;
};

// The numbers of a packed repeated integer field.
//
// Errors: InvalidArgument if the bytes are no whole numbers, or more than `limit` of them, or a
//         number in more bytes than it needs.
absl::StatusOr<std::vector<std::uint64_t>> ParsePacked(std::string_view bytes, std::size_t limit);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_MODEL_WIRE_MESSAGE_H_
