// SPDX-License-Identifier: Apache-2.0
// What the terminal can show, and text painted for it.
#ifndef CLIENT_TERMINAL_H_
#define CLIENT_TERMINAL_H_

#include <cstddef>
#include <map>
#include <string>

namespace lipserve {

// How many colours may be used.
enum class ColorDepth { kNone, k256, k24Bit };

// What the user asked for with --color.
enum class ColorChoice { kAuto, kAlways, kNever };

// What was found about an output.
struct TerminalFacts {
  bool is_terminal = false;
  int columns = 0;  // 0: unknown
  // Those of COLORTERM, COLUMNS, LANG, LC_ALL, LC_CTYPE, NO_COLOR, TERM that are set.
  std::map<std::string, std::string> environment = {};
};

// What may be printed.
struct TerminalStyle {
  int columns = 80;
  bool utf8 = false;
  ColorDepth colors = ColorDepth::kNone;
};

// Meaning of a piece of text, shown as a colour where there is any.
enum class Ink { kPlain, kBold, kDim, kGood, kBad };

// Asks the system about the open file `descriptor`.
TerminalFacts ReadTerminalFacts(int descriptor);

// Chooses a style. kAuto colours a terminal only, and not where NO_COLOR is set (no-color.org) or
// TERM is one that has no grey scale. UTF-8 follows from the locale's variables. Pure.
TerminalStyle ChooseStyle(const TerminalFacts& facts, ColorChoice choice);

// `text` in the colour of `ink`.
std::string Paint(const std::string& text, Ink ink, const TerminalStyle& style);

// Columns that UTF-8 `text` without escape sequences takes, at one per code point.
std::size_t DisplayWidth(const std::string& text);

// `text` with control characters replaced by '?': a server's label must not steer the terminal.
std::string WithoutControls(const std::string& text);

}  // namespace lipserve

#endif  // CLIENT_TERMINAL_H_
