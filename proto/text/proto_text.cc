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
  const std::string nearest = NearName(field, names);
  if (!nearest.empty()) return absl::StrCat(" Did you mean \"", nearest, "\"?");
  return absl::StrCat(" Its fields are: ", absl::StrJoin(names, ", "), ".");
}

class ErrorLines : public google::protobuf::io::ErrorCollector {
 public:
  explicit ErrorLines(const std::string& place) : place_(place) {}

  // The parser counts lines and columns from 0, people from 1.
  void AddError(int line, int column, const std::string& message) override {
    lines_.push_back(
        absl::StrCat(place_, ":", line + 1, ":", column + 1, ": ", message, FieldHint(message)));
  }

  std::string ToString() const { return absl::StrJoin(lines_, "\n"); }

 private:
  const std::string place_;
  std::vector<std::string> lines_;
};

}  // namespace

absl::Status ParseProtoText(const std::string& text, const std::string& place,
                            google::protobuf::Message& message,
                            google::protobuf::TextFormat::ParseInfoTree* locations) {
  ErrorLines errors(place);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(locations);
  if (parser.ParseFromString(text, &message)) return absl::OkStatus();
  return absl::InvalidArgumentError(errors.ToString());
}

}  // namespace lipserve
