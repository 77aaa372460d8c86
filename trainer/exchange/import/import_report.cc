// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/import_report.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace lipserve::exchange {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kNodesWidth = 30;
constexpr std::size_t kLayerWidth = 38;
constexpr std::size_t kMostScores = 16;  // that are listed one by one
constexpr double kLoose = 1.01;          // a bound above it makes radii smaller

// `text` in lines of at most `width`, broken at spaces.
std::vector<std::string> Wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines = {""};
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width)
      lines.emplace_back();
    absl::StrAppend(&lines.back(), lines.back().empty() ? "" : " ", word);
  }
  return lines;
}

std::string Paragraph(const std::string& text) {
  return absl::StrCat(absl::StrJoin(Wrapped(text, kWidth), "\n"), "\n");
}

// A row of three cells, the first two of which may take several lines.
std::string TableRow(const std::string& nodes, const std::string& layer, const std::string& bound) {
  std::vector<std::string> left = Wrapped(nodes, kNodesWidth - 2);
  std::vector<std::string> middle = Wrapped(layer, kLayerWidth - 2);
  const std::size_t lines = std::max(left.size(), middle.size());
  left.resize(lines);
  middle.resize(lines);
  std::string text;
  for (std::size_t i = 0; i < lines; ++i) {
    std::string line = absl::StrFormat("%-30s%-38s%12s", left[i], middle[i], i == 0 ? bound : "");
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

// The operators of a group, repeated ones counted: "8 Slice, Concat".
std::string NodesText(const Graph& graph, const std::vector<std::size_t>& nodes) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < nodes.size();) {
    const std::string& op = graph.nodes[nodes[i]].op;
    std::size_t end = i;
    while (end < nodes.size() && graph.nodes[nodes[end]].op == op) ++end;
    words.push_back(end - i == 1 ? op : absl::StrCat(end - i, " ", op));
    i = end;
  }
  return words.empty() ? "(moves numbers)" : absl::StrJoin(words, ", ");
}

std::string LayerText(const FrozenLayer& layer) {
  if (const auto* const prelu = std::get_if<PReluLayer>(&layer)) {
    const bool is_relu = std::all_of(prelu->slopes.begin(), prelu->slopes.end(),
                                     [](float slope) { return slope == 0.0F; });
    if (is_relu) return "ReLU";
  }
  return DescribeLayer(layer);
}

std::string LayerTable(const ImportFacts& facts) {
  const std::string line(kWidth, '-');
  std::string text = absl::StrCat(TableRow("ONNX nodes", "layer", "L2 bound"), line, "\n");
  for (std::size_t i = 0; i < facts.converted.network.layers.size(); ++i) {
    absl::StrAppend(&text,
                    TableRow(NodesText(facts.converted.graph, facts.converted.nodes[i]),
                             absl::StrCat(i, " ", LayerText(facts.converted.network.layers[i])),
                             absl::StrFormat("%.6g", facts.layer_bounds[i])));
  }
  absl::StrAppend(&text, line, "\n");
  return text;
}

std::string ScoreTable(const ImportFacts& facts) {
  const auto [low, high] =
      std::minmax_element(facts.score_bounds.begin(), facts.score_bounds.end());
  if (facts.score_bounds.size() > kMostScores) {
    return absl::StrFormat("bounds of the %d scores: %.6g to %.6g\n", facts.score_bounds.size(),
                           *low, *high);
  }
  if (facts.score_bounds.size() == 1) return absl::StrFormat("bound of the score: %.6g\n", *low);
  std::string text = "bound of each score:";
  for (std::size_t i = 0; i < facts.score_bounds.size(); ++i) {
    absl::StrAppendFormat(&text, " %s %.4g%s", facts.class_labels[i], facts.score_bounds[i],
                          i + 1 < facts.score_bounds.size() ? "," : "");
  }
  return Paragraph(text);
}

std::string ComparisonText(const ImportFacts& facts) {
  const Converted& converted = facts.converted;
  std::string text = Paragraph(absl::StrFormat(
      "difference to the graph, evaluated node by node in float64, at %d samples: %.2e of scores "
      "up to %.4g",
      facts.from_graph.samples, facts.from_graph.largest, facts.from_graph.largest_score));
  if (converted.rounded_weights > 0) {
    absl::StrAppend(&text, Paragraph(absl::StrFormat(
                               "%d weights were rounded to float32 (folded operators or float64), "
                               "%d of them to 0; that is part of this difference. The certificate "
                               "is of the network with the rounded weights.",
                               converted.rounded_weights, converted.flushed_weights)));
  }
  if (facts.from_reference) {
    const Deviation& reference = *facts.from_reference;
    absl::StrAppend(&text,
                    Paragraph(absl::StrFormat(
                        "difference to the reference, %d samples: %.2e of outputs up to %.4g",
                        reference.samples, reference.largest, reference.largest_score)));
    absl::StrAppendFormat(&text, "other classes than the reference: %d of %d\n",
                          reference.other_classes, reference.samples);
  }
  return text;
}

double Quantile(const std::vector<double>& ascending, double share) {
  const auto last = static_cast<double>(ascending.size() - 1);
  return ascending[static_cast<std::size_t>(std::floor(share * last))];
}

std::string RadiiText(const RadiusFacts& facts) {
  std::vector<double> radii = facts.radii_l2;
  std::sort(radii.begin(), radii.end());
  std::string text = absl::StrFormat(
      "proven L2 radii of %d answers: smallest %.4g, quarter %.4g, median %.4g, three quarters "
      "%.4g, largest %.4g",
      radii.size(), radii.front(), Quantile(radii, 0.25), Quantile(radii, 0.5),
      Quantile(radii, 0.75), radii.back());
  for (const double epsilon : facts.epsilons) {
    const auto count = radii.end() - std::lower_bound(radii.begin(), radii.end(), epsilon);
    absl::StrAppendFormat(&text, "; at least %.4g: %d", epsilon, count);
  }
  if (facts.right) absl::StrAppendFormat(&text, "; right answers: %d", *facts.right);
  return Paragraph(text);
}

// A scaling of each channel: of the units of the input, or what is left of a BatchNorm.
bool IsScaling(const FrozenLayer& layer) {
  const auto* const convolution = std::get_if<ConvolutionLayer>(&layer);
  return convolution != nullptr && convolution->groups == convolution->input.channels &&
         convolution->fan_in() == 1;
}

// What would help the loose layers.
std::string Help(const ImportFacts& facts) {
  const auto& layers = facts.converted.network.layers;
  std::vector<std::string> trained;
  std::vector<std::string> scalings;
  std::vector<std::string> pools;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!(facts.layer_bounds[i] > kLoose)) continue;
    const bool is_pool = std::holds_alternative<MaxPoolLayer>(layers[i]);
    (is_pool ? pools : IsScaling(layers[i]) ? scalings : trained).push_back(absl::StrCat(i));
  }
  std::string text;
  if (!trained.empty()) {
    absl::StrAppend(&text, "To train with a spectral or orthogonal constraint would help layers ",
                    absl::StrJoin(trained, ", "), ". ");
  }
  if (!scalings.empty()) {
    absl::StrAppend(&text, "Scalings (", absl::StrJoin(scalings, ", "),
                    ") are part of the units of the input or of a BatchNorm and stay. ");
  }
  if (!pools.empty()) {
    absl::StrAppend(&text, "Max pools ", absl::StrJoin(pools, ", "),
                    " would have the bound 1 with a stride of the window's size. ");
  }
  return text.empty() ? "" : Paragraph(text);
}

// The layers' shares of the product of bounds.
std::string WhySmall(const ImportFacts& facts) {
  const auto& layers = facts.converted.network.layers;
  double log_product = 0.0;
  for (const double bound : facts.layer_bounds) log_product += std::max(std::log(bound), 0.0);
  std::string text = "\nWhy is my radius so small?\n";
  if (log_product < std::log(kLoose)) {
    absl::StrAppend(&text, "No layer has a bound above 1: the margin of the scores decides.\n");
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!(facts.layer_bounds[i] > kLoose)) continue;
    absl::StrAppendFormat(
        &text, "  layer %-4d divides it by up to %-9.4g %3.0f %% of all, in logarithms\n", i,
        facts.layer_bounds[i], 100.0 * std::log(facts.layer_bounds[i]) / log_product);
  }
  absl::StrAppend(&text, Help(facts));
  const auto sums = std::count_if(layers.begin(), layers.end(), [](const FrozenLayer& layer) {
    return std::holds_alternative<SumLayer>(layer);
  });
  if (sums > 0) {
    absl::StrAppend(&text, absl::StrFormat("%d sums add the bounds of their branches.\n", sums));
  }
  if (facts.radii && facts.radii->steepest_slope > 0.0) {
    absl::StrAppend(
        &text,
        Paragraph(absl::StrFormat(
            "At your samples the steepest difference of two scores has the slope %.4g; proven is "
            "at "
            "most %.4g. So a perfect proof for all inputs at once could gain a factor of %.3g at "
            "most; a proof for one input's ball may gain more.",
            facts.radii->steepest_slope, facts.radii->proven_slope,
            facts.radii->proven_slope / facts.radii->steepest_slope)));
  }
  return text;
}

}  // namespace

std::string ImportReport(const ImportFacts& facts) {
  const InputLayout& layout = facts.converted.layout;
  std::string text = LayerTable(facts);
  if (layout.channels_last) {
    std::vector<std::string> dims;
    for (const std::int64_t dim : layout.dims) dims.push_back(absl::StrCat(dim));
    absl::StrAppend(&text,
                    Paragraph(absl::StrCat("input [", absl::StrJoin(dims, ", "),
                                           "], channels last, is served as ",
                                           DescribeShape(layout.shape), ", channels first")));
  }
  for (const std::string& note : facts.converted.notes) absl::StrAppend(&text, Paragraph(note));
  absl::StrAppend(&text, ScoreTable(facts), ComparisonText(facts));
  if (facts.radii) absl::StrAppend(&text, RadiiText(*facts.radii));
  absl::StrAppend(&text, WhySmall(facts));
  return text;
}

}  // namespace lipserve::exchange
