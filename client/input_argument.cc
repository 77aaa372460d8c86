// SPDX-License-Identifier: Apache-2.0
#include "client/input_argument.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lipserve {
namespace {

// Parses one end of a range; empty text is an open end. Returns false for anything else.
bool ParseEnd(const std::string& text, std::optional<std::int64_t>& end) {
  if (text.empty()) return true;
  std::int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) return false;
  end = value;
  return true;
}

std::optional<ImageRange> ParseRange(const std::string& text) {
  ImageRange range;
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) {
    range.single = true;
    if (text.empty() || !ParseEnd(text, range.begin)) return std::nullopt;
    return range;
  }
  if (!ParseEnd(text.substr(0, colon), range.begin) ||
      !ParseEnd(text.substr(colon + 1), range.end)) {
    return std::nullopt;
  }
  return range;
}

std::string RangeText(const ImageRange& range) {
  const auto text = [](const std::optional<std::int64_t>& end) {
    return end.has_value() ? absl::StrCat(*end) : std::string();
  };
  if (range.single) return absl::StrCat("[", text(range.begin), "]");
  return absl::StrCat("[", text(range.begin), ":", text(range.end), "]");
}

}  // namespace

absl::StatusOr<InputArgument> ParseInputArgument(const std::string& text) {
  if (text.empty()) {
    return absl::InvalidArgumentError("input: expected a file name, got an empty text");
  }
  const std::size_t open = text.rfind('[');
  if (text.back() != ']' || open == std::string::npos) return InputArgument{text, std::nullopt};
  const auto range = ParseRange(text.substr(open + 1, text.size() - open - 2));
  if (!range.has_value() || open == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(text, ": range: expected FILE[5], FILE[0:10], FILE[-3:] or FILE[:10], got \"",
                     text.substr(open), "\""));
  }
  return InputArgument{text.substr(0, open), range};
}

absl::StatusOr<ResolvedRange> ResolveRange(const InputArgument& argument, std::int64_t count) {
  const ImageRange range = argument.range.value_or(ImageRange{});
  const auto from_start = [count](std::int64_t position) {
    return position < 0 ? position + count : position;
  };
  ResolvedRange resolved;
  if (range.single) {
    resolved.begin = from_start(*range.begin);
    resolved.end = resolved.begin + 1;
    if (resolved.begin >= 0 && resolved.begin < count) return resolved;
  } else {
    resolved.begin = std::clamp<std::int64_t>(from_start(range.begin.value_or(0)), 0, count);
    resolved.end = std::clamp<std::int64_t>(from_start(range.end.value_or(count)), 0, count);
    if (resolved.begin < resolved.end) return resolved;
  }
  return absl::OutOfRangeError(absl::StrCat(argument.path, ": range ", RangeText(range),
                                            " selects no image: the file has ", count));
}

}  // namespace lipserve
