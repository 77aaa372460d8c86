// SPDX-License-Identifier: Apache-2.0
#include "client/answer_report.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/directed_decimal.h"
#include "client/text_table.h"
#include "proto/image/image_file.h"

namespace lipserve {
namespace {

constexpr std::size_t kShortDigest = 12;

// "7 (87.5 %)", rounded down.
std::string CountText(std::size_t count, std::size_t of) {
  const std::size_t permille = count * 1000 / of;
  return absl::StrFormat("%d of %d (%d.%d %%)", count, of, permille / 10, permille % 10);
}

}  // namespace

std::optional<bool> AnsweredImage::is_right() const {
  if (!true_class.has_value()) return std::nullopt;
  return *true_class == answer.class_index();
}

std::optional<int> ClassOfLabel(const v1::DescribeModelResponse& model, std::int64_t label) {
  const auto& classes = model.training().recipe().dataset().classes();
  if (const auto found = std::find(classes.begin(), classes.end(), label); found != classes.end()) {
    return static_cast<int>(found - classes.begin());
  }
  if (!classes.empty()) return std::nullopt;
  const auto& names = model.class_labels();
  const auto found = std::find(names.begin(), names.end(), absl::StrCat(label));
  if (found == names.end()) return std::nullopt;
  return static_cast<int>(found - names.begin());
}

AnswerReport MakeReport(const v1::DescribeModelResponse& model, const ImageSet& images,
                        const v1::ClassifyResponse& response, std::optional<double> epsilon) {
  assert(response.classifications_size() == static_cast<int>(images.origins.size()));
  AnswerReport report{.model = response.model(),
                      .unit = response.radius_unit(),
                      .precision = response.radius_precision(),
                      .epsilon = epsilon,
                      .numbers_per_image = images.shape.size(),
                      .images = {}};
  for (int i = 0; i < response.classifications_size(); ++i) {
    AnsweredImage image{images.origins[static_cast<std::size_t>(i)], std::nullopt,
                        response.classifications(i)};
    if (image.origin.label.has_value()) {
      image.true_class = ClassOfLabel(model, *image.origin.label);
    }
    report.images.push_back(std::move(image));
  }
  return report;
}

std::string DigestHex(const v1::ModelIdentity& model) {
  return absl::BytesToHexString(model.digest_sha256());
}

std::string OriginText(const ImageOrigin& origin) {
  std::string name = WithoutControls(origin.file.substr(origin.file.rfind('/') + 1));
  if (IsImageFileName(name)) return name;
  return absl::StrCat(name, "[", origin.index, "]");
}

std::string ScoreText(const v1::Classification& answer) {
  const int chosen = answer.scores_size() > 1 ? answer.class_index() : 0;
  if (chosen < 0 || chosen >= answer.scores_size()) return "-";
  return absl::StrFormat("%+.4f", answer.scores(chosen));
}

std::string RadiusText(const v1::Classification& answer, v1::RadiusUnit unit) {
  const double radius = std::max(0.0, answer.certified_radius_l2());
  if (unit == v1::RADIUS_UNIT_PIXEL) return DecimalRoundedDown(radius, 2) + " px";
  return DecimalRoundedDown(radius, 4);
}

std::string PrecisionText(v1::RadiusPrecision precision) {
  return precision == v1::RADIUS_PRECISION_FAST ? "fast" : "tight";
}

std::string EpsilonText(double epsilon) { return absl::StrCat(epsilon); }

std::string ModelLines(const AnswerReport& report, const TerminalStyle& style) {
  const std::string model =
      absl::StrCat(WithoutControls(report.model.name()), " version ", report.model.version());
  const std::string digest =
      absl::StrCat("content sha256 ", DigestHex(report.model).substr(0, kShortDigest));
  const char* unit =
      report.unit == v1::RADIUS_UNIT_PIXEL ? "pixel steps of 0..255 (px)" : "the unit of the input";
  return absl::StrCat(Paint(model, Ink::kBold, style), ", ", digest, "\n",
                      Paint(absl::StrCat("radii are L2, in ", unit, ", rounded down; precision ",
                                         PrecisionText(report.precision)),
                            Ink::kDim, style),
                      "\n");
}

std::string SummaryLines(const AnswerReport& report, const TerminalStyle& style) {
  std::size_t known = 0;
  std::size_t right = 0;
  std::size_t certified = 0;
  std::size_t right_and_certified = 0;
  for (const AnsweredImage& image : report.images) {
    const bool is_right = image.is_right().value_or(false);
    const bool is_certified = image.answer.certified_at_epsilon();
    if (image.true_class.has_value()) ++known;
    if (is_right) ++right;
    if (is_certified) ++certified;
    if (is_right && is_certified) ++right_and_certified;
  }
  const std::size_t count = report.images.size();
  TextTable table({Align::kLeft, Align::kLeft});
  const auto add = [&table](const std::string& name, std::size_t part, std::size_t of) {
    table.AddRow({{name, Ink::kDim}, {CountText(part, of)}});
  };
  if (known > 0) add("right", right, known);
  if (report.epsilon.has_value() && count > 0) {
    add("certified at " + EpsilonText(*report.epsilon), certified, count);
    if (known > 0) add("right and certified", right_and_certified, known);
  }
  return absl::StrCat(count, count == 1 ? " image\n" : " images\n", table.Render(2, style));
}

}  // namespace lipserve
