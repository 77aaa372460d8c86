// SPDX-License-Identifier: Apache-2.0
#include "client/verify/model/wire_message.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace lipserve::verify {
namespace {

// More than any model has, and what a hostile message may cost: 32 bytes of memory a field.
constexpr std::size_t kMaxFields = std::size_t{1} << 23;

// Reads numbers and byte strings from the front of a message.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  bool done() const { return position_ == bytes_.size(); }
  std::size_t position() const { return position_; }

  absl::StatusOr<std::uint64_t> TakeVarint() {
    const std::size_t begin = position_;
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !done(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_[position_++]);
      if (shift == 63 && byte > 1) break;
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte == 0 && shift > 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("byte ", begin,
                         ": expected a number in the fewest bytes, got one with zeros in front"));
      }
      if (byte < 0x80) return value;
    }
    return absl::InvalidArgumentError(
        absl::StrCat("byte ", begin,
                     ": expected a number of at most 64 bits, got other bytes or "
                     "the end"));
  }

  // A number of `size` bytes, least significant first.
  absl::StatusOr<std::uint64_t> TakeFixed(unsigned size) {
    if (bytes_.size() - position_ < size) {
      return absl::InvalidArgumentError(absl::StrCat("byte ", position_, ": expected ", size,
                                                     " bytes, got ", bytes_.size() - position_));
    }
    std::uint64_t value = 0;
    for (unsigned k = 0; k < size; ++k) {
      value |= std::uint64_t{static_cast<unsigned char>(bytes_[position_++])} << (8 * k);
    }
    return value;
  }

  absl::StatusOr<std::string_view> TakeBytes() {
    const absl::StatusOr<std::uint64_t> length = TakeVarint();
    if (!length.ok()) return length.status();
    if (*length > bytes_.size() - position_) {
      return absl::InvalidArgumentError(absl::StrCat("byte ", position_, ": expected ", *length,
                                                     " bytes, got ", bytes_.size() - position_));
    }
    const std::string_view taken = bytes_.substr(position_, *length);
    position_ += taken.size();
    return taken;
  }

 private:
  std::string_view bytes_;
  std::size_t position_ = 0;
};

absl::StatusOr<WireField> TakeContent(Cursor& cursor, const FieldRule& rule) {
  WireField field{.number = rule.number};
  if (rule.type == WireType::kBytes || rule.type == WireType::kMessage) {
    const absl::StatusOr<std::string_view> bytes = cursor.TakeBytes();
    if (!bytes.ok()) return bytes.status();
    field.bytes = *bytes;
    return field;
  }
  const absl::StatusOr<std::uint64_t> value =
      rule.type == WireType::kVarint ? cursor.TakeVarint()
                                     : cursor.TakeFixed(rule.type == WireType::kFixed32 ? 4 : 8);
  if (!value.ok()) return value.status();
  field.value = *value;
  return field;
}

absl::StatusOr<FieldRule> RuleOf(std::uint64_t tag, std::size_t position,
                                 std::span<const FieldRule> rules) {
  const auto rule = std::find_if(rules.begin(), rules.end(),
                                 [&](const FieldRule& known) { return known.number == tag >> 3; });
  if (rule == rules.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("byte ", position, ": expected a field of this format, got field ", tag >> 3));
  }
  const std::uint32_t type = static_cast<std::uint32_t>(rule->type) & 7U;
  if (type != (tag & 7U)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "byte ", position, ": ", rule->name, ": expected wire type ", type, ", got ", tag & 7U));
  }
  return *rule;
}

// Whether protobuf leaves the field out: a singular one with its default.
bool IsLeftOut(const WireField& field, const FieldRule& rule) {
  return !rule.repeated && rule.type != WireType::kMessage && field.value == 0 &&
         field.bytes.empty();
}

}  // namespace

absl::Status StatusAt(const std::string& place, const absl::Status& status) {
  return {status.code(), absl::StrCat(place, ": ", std::string(status.message()))};
}

absl::StatusOr<WireMessage> WireMessage::Parse(std::string_view bytes,
                                               std::span<const FieldRule> rules) {
  WireMessage message;
  Cursor cursor(bytes);
  while (!cursor.done()) {
    const std::size_t position = cursor.position();
    const absl::StatusOr<std::uint64_t> tag = cursor.TakeVarint();
    if (!tag.ok()) return tag.status();
    const absl::StatusOr<FieldRule> rule = RuleOf(*tag, position, rules);
    if (!rule.ok()) return rule.status();
    const std::uint32_t before = message.fields_.empty() ? 0 : message.fields_.back().number;
    if (!rule->repeated && before == rule->number) {
      return absl::InvalidArgumentError(
          absl::StrCat("byte ", position, ": ", rule->name, ": expected once, got it again"));
    }
    if (before > rule->number) {
      return absl::InvalidArgumentError(
          absl::StrCat("byte ", position, ": ", rule->name,
                       ": expected fields in the order of their numbers, got ", rule->number,
                       " after ", before));
    }
    if (message.fields_.size() == kMaxFields) {
      return absl::InvalidArgumentError(
          absl::StrCat("byte ", position, ": expected at most ", kMaxFields, " fields"));
    }
    const absl::StatusOr<WireField> field = TakeContent(cursor, *rule);
    if (!field.ok()) return field.status();
    if (IsLeftOut(*field, *rule)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "byte ", position, ": ", rule->name, ": expected no field, as its value is the default"));
    }
    message.fields_.push_back(*field);
  }
  return message;
}

const WireField* WireMessage::Find(std::uint32_t number) const {
  const auto field = std::find_if(fields_.begin(), fields_.end(),
                                  [&](const WireField& f) { return f.number == number; });
  return field == fields_.end() ? nullptr : &*field;
}

std::uint64_t WireMessage::value(std::uint32_t number) const {
  const WireField* const field = Find(number);
  return field == nullptr ? 0 : field->value;
}

std::string_view WireMessage::bytes(std::uint32_t number) const {
  const WireField* const field = Find(number);
  return field == nullptr ? std::string_view() : field->bytes;
}

absl::StatusOr<std::vector<std::uint64_t>> ParsePacked(std::string_view bytes, std::size_t limit) {
  std::vector<std::uint64_t> values;
  Cursor cursor(bytes);
  while (!cursor.done()) {
    if (values.size() == limit) {
      return absl::InvalidArgumentError(absl::StrCat("expected at most ", limit, " numbers"));
    }
    const absl::StatusOr<std::uint64_t> value = cursor.TakeVarint();
    if (!value.ok()) return value.status();
    values.push_back(*value);
  }
  return values;
}

}  // namespace lipserve::verify
