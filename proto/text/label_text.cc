// SPDX-License-Identifier: Apache-2.0
#include "proto/text/label_text.h"

#include <google/protobuf/stubs/common.h>

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace lipserve {
namespace {

// Bytes of the UTF-8 character that `text` starts with, or 0 if it starts with none. Protobuf's
// check decides, because it also decides whether a file can be read.
std::size_t CharacterBytes(std::string_view text) {
  constexpr std::size_t kMaxCharacterBytes = 4;
  for (std::size_t size = 1; size <= std::min(text.size(), kMaxCharacterBytes); ++size) {
    if (google::protobuf::internal::IsStructurallyValidUTF8(text.data(), static_cast<int>(size))) {
      return size;
    }
  }
  return 0;
}

// U+0000 to U+001F, U+007F, and U+0080 to U+009F, which is C2 80 to C2 9F.
bool IsControl(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first < 0x20U || first == 0x7fU;
  return character.size() == 2 && first == 0xc2U &&
         static_cast<unsigned char>(character[1]) < 0xa0U;
}

}  // namespace

std::string LabelProblem(const std::string& name) {
  if (name.empty()) return "it is empty";
  if (name.size() > kMaxLabelBytes) {
    return absl::StrCat("it has ", name.size(), " bytes, more than ", kMaxLabelBytes);
  }
  const std::string_view text = name;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = CharacterBytes(text.substr(at));
    if (size == 0) return absl::StrCat("byte ", at, " is not UTF-8");
    if (IsControl(text.substr(at, size)))
      return absl::StrCat("byte ", at, " is a control character");
    at += size;
  }
  return "";
}

std::string VisibleName(const std::string& name) {
  return absl::StrReplaceAll(Visible(name), {{"\n", "\\x0a"}});
}

std::string Visible(const std::string& text) {
  const std::string_view view = text;
  std::string visible;
  for (std::size_t at = 0; at < view.size();) {
    const std::size_t size = std::max<std::size_t>(CharacterBytes(view.substr(at)), 1);
    const std::string_view character = view.substr(at, size);
    const bool is_utf8 = CharacterBytes(character) != 0;
    if (character == "\n" || (is_utf8 && !IsControl(character))) {
      visible.append(character);
    } else {
      for (const char c : character) {
        absl::StrAppendFormat(&visible, "\\x%02x", static_cast<unsigned char>(c));
      }
    }
    at += size;
  }
  return visible;
}

}  // namespace lipserve
