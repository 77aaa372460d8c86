// SPDX-License-Identifier: Apache-2.0
#include "client/message_text.h"

#include <google/protobuf/descriptor.h>

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/terminal.h"

namespace lipserve {
namespace {

using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// MARGIN_CONVENTION_FULL of enum MarginConvention -> "full".
std::string EnumText(const EnumValueDescriptor& value) {
  std::string prefix;
  for (const char c : value.type()->name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(c));
  }
  prefix += '_';
  const std::string& name = value.name();
  const bool has_prefix = name.rfind(prefix, 0) == 0;
  return absl::AsciiStrToLower(has_prefix ? name.substr(prefix.size()) : name);
}

// Value of a field, or of element `i` of a repeated one.
std::string ScalarText(const Message& message, const FieldDescriptor& field, int i) {
  const auto& reflection = *message.GetReflection();
  const bool repeated = field.is_repeated();
  const auto get = [&](auto one, auto many) {
    return repeated ? (reflection.*many)(message, &field, i) : (reflection.*one)(message, &field);
  };
  using R = google::protobuf::Reflection;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(get(&R::GetInt32, &R::GetRepeatedInt32));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(get(&R::GetInt64, &R::GetRepeatedInt64));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(get(&R::GetUInt32, &R::GetRepeatedUInt32));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(get(&R::GetUInt64, &R::GetRepeatedUInt64));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return absl::StrCat(get(&R::GetDouble, &R::GetRepeatedDouble));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return absl::StrCat(get(&R::GetFloat, &R::GetRepeatedFloat));
    case FieldDescriptor::CPPTYPE_BOOL:
      return get(&R::GetBool, &R::GetRepeatedBool) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumText(*get(&R::GetEnum, &R::GetRepeatedEnum));
    case FieldDescriptor::CPPTYPE_STRING:
      return WithoutControls(get(&R::GetString, &R::GetRepeatedString));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageText(repeated ? reflection.GetRepeatedMessage(message, &field, i)
                                  : reflection.GetMessage(message, &field));
  }
  return "?";
}

// "units 32", "use_bias", "flatten", "adam(learning_rate 0.01)".
std::string FieldText(const Message& message, const FieldDescriptor& field) {
  const std::string value = FieldValueText(message, field);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field.is_repeated()) {
    return value.empty() ? field.name() : absl::StrCat(field.name(), "(", value, ")");
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL && value == "true") return field.name();
  return absl::StrCat(field.name(), " ", value);
}

}  // namespace

std::string MessageText(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  std::vector<std::string> parts;
  for (const FieldDescriptor* field : fields) parts.push_back(FieldText(message, *field));
  return absl::StrJoin(parts, ", ");
}

std::string FieldValueText(const Message& message, const FieldDescriptor& field) {
  if (!field.is_repeated()) return ScalarText(message, field, 0);
  std::vector<std::string> values;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    values.push_back(ScalarText(message, field, i));
  }
  return absl::StrCat("[", absl::StrJoin(values, ", "), "]");
}

}  // namespace lipserve
