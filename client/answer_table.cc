// SPDX-License-Identifier: Apache-2.0
#include "client/answer_table.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/directed_decimal.h"
#include "client/text_table.h"

namespace lipserve {
namespace {

// Which optional columns a report has.
struct Columns {
  bool truth = false;
  bool squared = false;
  bool epsilon = false;
};

Columns ColumnsOf(const AnswerReport& report) {
  return {.truth = std::any_of(report.images.begin(), report.images.end(),
                               [](const auto& image) { return image.origin.label.has_value(); }),
          .squared = report.unit == v1::RADIUS_UNIT_PIXEL,
          .epsilon = report.epsilon.has_value()};
}

std::vector<TableCell> Header(const AnswerReport& report, const Columns& columns) {
  std::vector<TableCell> row = {{"image", Ink::kDim}, {"class", Ink::kDim}};
  if (columns.truth) row.push_back({"truth", Ink::kDim});
  for (const char* name : {"score", "margin", "radius"}) row.push_back({name, Ink::kDim});
  if (columns.squared) row.push_back({"R2", Ink::kDim});
  if (columns.epsilon) {
    row.push_back({absl::StrCat("certified at ", EpsilonText(*report.epsilon)), Ink::kDim});
  }
  return row;
}

TableCell TruthCell(const AnsweredImage& image) {
  if (!image.origin.label.has_value()) return {"-", Ink::kDim};
  const std::string label = absl::StrCat(*image.origin.label);
  const auto right = image.is_right();
  if (!right.has_value()) return {label + " unknown", Ink::kDim};
  return *right ? TableCell{label + " right", Ink::kGood} : TableCell{label + " WRONG", Ink::kBad};
}

std::vector<TableCell> Row(const AnswerReport& report, const AnsweredImage& image,
                           const Columns& columns) {
  const v1::Classification& answer = image.answer;
  std::vector<TableCell> row = {{OriginText(image.origin)},
                                {WithoutControls(answer.label()), Ink::kBold}};
  if (columns.truth) row.push_back(TruthCell(image));
  row.push_back({ScoreText(answer)});
  row.push_back({DecimalRoundedDown(std::max(0.0, answer.margin()), 4)});
  row.push_back({RadiusText(answer, report.unit), Ink::kBold});
  if (columns.squared) row.push_back({absl::StrCat(answer.certified_pixel_radius_squared())});
  if (columns.epsilon) {
    row.push_back(answer.certified_at_epsilon() ? TableCell{"yes", Ink::kGood}
                                                : TableCell{"no", Ink::kBad});
  }
  return row;
}

}  // namespace

std::string AnswerTable(const AnswerReport& report, const TerminalStyle& style) {
  const Columns columns = ColumnsOf(report);
  std::vector<Align> alignment = {Align::kLeft, Align::kLeft};
  if (columns.truth) alignment.push_back(Align::kLeft);
  alignment.insert(alignment.end(), columns.squared ? 4 : 3, Align::kRight);
  if (columns.epsilon) alignment.push_back(Align::kLeft);
  TextTable table(std::move(alignment));
  table.AddRow(Header(report, columns));
  for (const AnsweredImage& image : report.images) table.AddRow(Row(report, image, columns));
  const std::string legend =
      columns.squared ? Paint(
                            "R2: any image whose squared pixel differences sum to at most R2 "
                            "gets the same class",
                            Ink::kDim, style) +
                            "\n"
                      : "";
  return absl::StrCat(ModelLines(report, style), legend, "\n", table.Render(0, style), "\n",
                      SummaryLines(report, style));
}

}  // namespace lipserve
