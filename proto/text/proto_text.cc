// SPDX-License-Identifier: Apache-2.0
#include "proto/text/proto_text.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>

#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/text/near_name.h"

namespace lipserve {
namespace {

// The text between the first two quotes after `before` in `message`, or "".
std::string QuotedAfter(const std::string& message, const std::string& before) {
  const std::size_t start = message.find(before + "\"");
  if (start == std::string::npos) return "";
  const std::size_t begin = start + before.size() + 1;
  const std::size_t end = message.find('"', begin);
  return end == std::string::npos ? "" : message.substr(begin, end - begin);
}

std::string Hint(const std::string& name, const std::vector<std::string>& names,
                 const std::string& otherwise) {
  const std::string nearest = NearName(name, names);
  if (!nearest.empty()) return absl::StrCat(" Did you mean \"", nearest, "\"?");
  return absl::StrCat(" ", otherwise, ": ", absl::StrJoin(names, ", "), ".");
}

// For the parser's 'Message type "T" has no field named "f".': what T's fields are, and which one
// was probably meant.
std::string FieldHint(const std::string& message) {
  const std::string type = QuotedAfter(message, "Message type ");
  const std::string field = QuotedAfter(message, "has no field named ");
  const google::protobuf::Descriptor* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(type);
  if (field.empty() || descriptor == nullptr) return "";
  std::vector<std::string> names;
  for (int i = 0; i < descriptor->field_count(); ++i) names.push_back(descriptor->field(i)->name());
  return Hint(field, names, "Its fields are");
}

// The enum that the messages of a file, or of one that it imports, have in fields of this name, or
// null.
const google::protobuf::EnumDescriptor* EnumOfField(const std::string& field,
                                                    const google::protobuf::FileDescriptor& file) {
  for (int i = 0; i < file.message_type_count(); ++i) {
    const auto* const found = file.message_type(i)->FindFieldByName(field);
    if (found != nullptr && found->enum_type() != nullptr) return found->enum_type();
  }
  for (int i = 0; i < file.dependency_count(); ++i) {
    if (const auto* const found = EnumOfField(field, *file.dependency(i))) return found;
  }
  return nullptr;
}

// For the parser's 'Unknown enumeration value of "V" for field "f".': what f's values are.
std::string ValueHint(const std::string& message, const google::protobuf::FileDescriptor& file) {
  const std::string value = QuotedAfter(message, "Unknown enumeration value of ");
  const auto* const type = EnumOfField(QuotedAfter(message, "for field "), file);
  if (value.empty() || type == nullptr) return "";
  std::vector<std::string> names;
  for (int i = 1; i < type->value_count(); ++i) names.push_back(type->value(i)->name());
  return Hint(value, names, "Its values are");
}

class ErrorLines : public google::protobuf::io::ErrorCollector {
 public:
  // `file`: that of the message that is read.
  ErrorLines(const std::string& place, const google::protobuf::FileDescriptor& file)
      : place_(place), file_(file) {}

  // The parser counts lines and columns from 0, people from 1.
  void AddError(int line, int column, const std::string& message) override {
    lines_.push_back(absl::StrCat(place_, ":", line + 1, ":", column + 1, ": ", message,
                                  FieldHint(message), ValueHint(message, file_)));
  }

  std::string ToString() const { return absl::StrJoin(lines_, "\n"); }

 private:
  const std::string place_;
  const google::protobuf::FileDescriptor& file_;
  std::vector<std::string> lines_;
};

// More than any of our messages has.
constexpr int kMaxDepth = 32;

}  // namespace

absl::Status ParseProtoText(const std::string& text, const std::string& place,
                            google::protobuf::Message& message,
                            google::protobuf::TextFormat::ParseInfoTree* locations) {
  ErrorLines errors(place, *message.GetDescriptor()->file());
  google::protobuf::TextFormat::Parser parser;
  parser.SetRecursionLimit(kMaxDepth);
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(locations);
  if (parser.ParseFromString(text, &message)) return absl::OkStatus();
  return absl::InvalidArgumentError(errors.ToString());
}

}  // namespace lipserve
