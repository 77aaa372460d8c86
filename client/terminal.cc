// SPDX-License-Identifier: Apache-2.0
#include "client/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lipserve {
namespace {

constexpr int kDefaultColumns = 80;

std::string Variable(const TerminalFacts& facts, const std::string& name) {
  const auto found = facts.environment.find(name);
  return found == facts.environment.end() ? std::string() : found->second;
}

// The first of the locale's variables that is set decides, as in POSIX.
bool LocaleIsUtf8(const TerminalFacts& facts) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = absl::AsciiStrToLower(Variable(facts, name));
    if (value.empty()) continue;
    return absl::StrContains(value, "utf-8") || absl::StrContains(value, "utf8");
  }
  return false;
}

ColorDepth DepthOf(const TerminalFacts& facts) {
  const std::string color_term = Variable(facts, "COLORTERM");
  const std::string term = Variable(facts, "TERM");
  if (color_term == "truecolor" || color_term == "24bit" || absl::EndsWith(term, "-direct")) {
    return ColorDepth::k24Bit;
  }
  for (const char* plain : {"", "dumb", "linux", "vt100", "vt220", "ansi"}) {
    if (term == plain) return ColorDepth::kNone;
  }
  return ColorDepth::k256;
}

ColorDepth ChooseDepth(const TerminalFacts& facts, ColorChoice choice) {
  if (choice == ColorChoice::kNever) return ColorDepth::kNone;
  if (choice == ColorChoice::kAlways) return std::max(DepthOf(facts), ColorDepth::k256);
  if (!facts.is_terminal || !Variable(facts, "NO_COLOR").empty()) return ColorDepth::kNone;
  return DepthOf(facts);
}

const char* EscapeOf(Ink ink) {
  switch (ink) {
    case Ink::kPlain:
      return "";
    case Ink::kBold:
      return "\x1b[1m";
    case Ink::kDim:
      return "\x1b[38;5;244m";
    case Ink::kGood:
      return "\x1b[38;5;71m";
    case Ink::kBad:
      return "\x1b[1;38;5;203m";
  }
  return "";
}

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

}  // namespace

TerminalFacts ReadTerminalFacts(int descriptor) {
  TerminalFacts facts;
  facts.is_terminal = isatty(descriptor) == 1;
  winsize size{};
  if (facts.is_terminal && ioctl(descriptor, TIOCGWINSZ, &size) == 0) facts.columns = size.ws_col;
  for (const char* name :
       {"COLORTERM", "COLUMNS", "LANG", "LC_ALL", "LC_CTYPE", "NO_COLOR", "TERM"}) {
    if (const char* value = std::getenv(name); value != nullptr) facts.environment[name] = value;
  }
  return facts;
}

TerminalStyle ChooseStyle(const TerminalFacts& facts, ColorChoice choice) {
  TerminalStyle style;
  style.columns = facts.columns;
  if (style.columns <= 0 && !absl::SimpleAtoi(Variable(facts, "COLUMNS"), &style.columns)) {
    style.columns = kDefaultColumns;
  }
  style.columns = std::max(style.columns, 1);
  style.utf8 = LocaleIsUtf8(facts);
  style.colors = ChooseDepth(facts, choice);
  return style;
}

std::string Paint(const std::string& text, Ink ink, const TerminalStyle& style) {
  if (style.colors == ColorDepth::kNone || ink == Ink::kPlain || text.empty()) return text;
  return absl::StrCat(EscapeOf(ink), text, "\x1b[0m");
}

std::size_t DisplayWidth(const std::string& text) {
  return text.size() -
         static_cast<std::size_t>(std::count_if(text.begin(), text.end(), IsContinuation));
}

std::string WithoutControls(const std::string& text) {
  std::string clean = text;
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const auto byte = static_cast<unsigned char>(clean[i]);
    // U+0080..U+009F, the C1 controls, are 0xC2 0x80..0x9F in UTF-8.
    const bool is_c1 =
        byte == 0xC2 && i + 1 < clean.size() && static_cast<unsigned char>(clean[i + 1]) < 0xA0;
    if (is_c1) clean[i + 1] = '?';
    if (byte < 0x20 || byte == 0x7F || is_c1) clean[i] = '?';
  }
  return clean;
}

}  // namespace lipserve
