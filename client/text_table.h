// SPDX-License-Identifier: Apache-2.0
// Rows of text with aligned columns.
#ifndef CLIENT_TEXT_TABLE_H_
#define CLIENT_TEXT_TABLE_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "client/terminal.h"

namespace lipserve {

// Removes the spaces at the end of a line.
void TrimRight(std::string& line);

// Where a column's text stands.
enum class Align { kLeft, kRight };

// One field of a table.
struct TableCell {
  std::string text;
  Ink ink = Ink::kPlain;
};

// A table under construction. Columns are as wide as their widest cell, two spaces apart.
class TextTable {
 public:
  // One alignment per column.
  explicit TextTable(std::vector<Align> columns) : columns_(std::move(columns)) {}

  // Requires: one cell per column.
  void AddRow(std::vector<TableCell> row);

  // The rows as lines, each starting with `indent` spaces, without spaces at their ends.
  std::string Render(std::size_t indent, const TerminalStyle& style) const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<TableCell>> rows_;
};

}  // namespace lipserve

#endif  // CLIENT_TEXT_TABLE_H_
