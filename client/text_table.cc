// SPDX-License-Identifier: Apache-2.0
#include "client/text_table.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lipserve {
namespace {

constexpr std::size_t kColumnGap = 2;

std::string PadAndPaint(const TableCell& cell, std::size_t width, Align align,
                        const TerminalStyle& style) {
  const std::string space(width - DisplayWidth(cell.text), ' ');
  const std::string text = Paint(cell.text, cell.ink, style);
  return align == Align::kRight ? space + text : text + space;
}

}  // namespace

void TrimRight(std::string& line) { line.erase(line.find_last_not_of(' ') + 1); }

void TextTable::AddRow(std::vector<TableCell> row) {
  assert(row.size() == columns_.size());
  rows_.push_back(std::move(row));
}

std::string TextTable::Render(std::size_t indent, const TerminalStyle& style) const {
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      widths[c] = std::max(widths[c], DisplayWidth(row[c].text));
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line(indent, ' ');
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c > 0) line.append(kColumnGap, ' ');
      line += PadAndPaint(row[c], widths[c], columns_[c], style);
    }
    TrimRight(line);
    absl::StrAppend(&out, line, "\n");
  }
  return out;
}

}  // namespace lipserve
