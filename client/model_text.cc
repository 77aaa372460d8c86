// SPDX-License-Identifier: Apache-2.0
#include "client/model_text.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/answer_report.h"
#include "client/directed_decimal.h"
#include "client/message_text.h"
#include "client/text_table.h"

namespace lipserve {
namespace {

constexpr std::size_t kIndent = 2;
constexpr int kBoundDecimals = 10;

std::string BoundText(double bound) {
  return DecimalRoundedUp(std::max(0.0, bound), kBoundDecimals);
}

std::string Heading(const char* text, const TerminalStyle& style) {
  return absl::StrCat("\n", Paint(text, Ink::kBold, style), "\n");
}

TextTable NameValueTable() { return TextTable({Align::kLeft, Align::kLeft}); }

void AddNameValue(const std::string& name, const std::string& value, TextTable& table) {
  table.AddRow({{name, Ink::kDim}, {value}});
}

std::string ModelSection(const v1::DescribeModelResponse& model, const TerminalStyle& style) {
  std::vector<std::string> labels;
  for (const std::string& label : model.class_labels()) labels.push_back(WithoutControls(label));
  TextTable table = NameValueTable();
  AddNameValue("content sha256", DigestHex(model.model()), table);
  AddNameValue("input",
               absl::StrCat(absl::StrJoin(model.input_shape(), "x"),
                            " (channels x height x width), UINT8 or FP32"),
               table);
  AddNameValue("classes", absl::StrJoin(labels, ", "), table);
  AddNameValue("per call", absl::StrCat("at most ", model.max_images_per_call(), " images"), table);
  return table.Render(kIndent, style);
}

std::string LayerSection(const v1::DescribeModelResponse& model, const TerminalStyle& style) {
  TextTable table({Align::kRight, Align::kLeft, Align::kRight});
  table.AddRow({{"", Ink::kDim}, {"layer", Ink::kDim}, {"L2 Lipschitz bound", Ink::kDim}});
  for (int i = 0; i < model.layers_size(); ++i) {
    table.AddRow({{absl::StrCat(i + 1), Ink::kDim},
                  {WithoutControls(model.layers(i).description())},
                  {BoundText(model.layers(i).lipschitz_bound())}});
  }
  table.AddRow(
      {{""}, {"each score", Ink::kBold}, {BoundText(model.lipschitz_bound()), Ink::kBold}});
  return table.Render(kIndent, style);
}

// Every set field of the recipe, and the seed, which may be 0; each layer has a line of its own.
std::string RecipeSection(const v1::Recipe& recipe, const TerminalStyle& style) {
  TextTable table = NameValueTable();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  recipe.GetReflection()->ListFields(recipe, &fields);
  for (const auto* field : fields) {
    if (field->number() == v1::Recipe::kSeedFieldNumber) continue;
    if (field->number() != v1::Recipe::kLayersFieldNumber) {
      AddNameValue(field->name(), FieldValueText(recipe, *field), table);
      continue;
    }
    for (int i = 0; i < recipe.layers_size(); ++i) {
      AddNameValue(i == 0 ? "layers" : "", MessageText(recipe.layers(i)), table);
    }
  }
  AddNameValue("seed", absl::StrCat(recipe.seed()), table);
  return table.Render(kIndent, style);
}

// A measurement as people read it; a bound must not shrink by that.
std::string ResultText(const v1::NamedValue& result) {
  if (absl::EndsWith(result.name(), "_bound")) return BoundText(result.value());
  return absl::StrFormat("%.6g", result.value());
}

std::string ResultSection(const v1::TrainingRecord& training, const TerminalStyle& style) {
  TextTable table = NameValueTable();
  for (const v1::NamedValue& result : training.results()) {
    AddNameValue(WithoutControls(result.name()), ResultText(result), table);
  }
  return table.Render(kIndent, style);
}

}  // namespace

std::string ModelText(const v1::DescribeModelResponse& model, const TerminalStyle& style) {
  std::string out = absl::StrCat(
      Paint(
          absl::StrCat(WithoutControls(model.model().name()), " version ", model.model().version()),
          Ink::kBold, style),
      "\n", ModelSection(model, style), Heading("proven bounds, rounded up", style),
      LayerSection(model, style));
  const v1::TrainingRecord& training = model.training();
  if (training.has_recipe()) {
    const std::string heading = absl::StrCat("recipe, trained by lipserve-train ",
                                             WithoutControls(training.trainer_version()));
    absl::StrAppend(&out, Heading(heading.c_str(), style), RecipeSection(training.recipe(), style));
  }
  if (training.results_size() > 0) {
    absl::StrAppend(&out, Heading("results of training", style), ResultSection(training, style));
  }
  return out;
}

std::string ModelListText(const v1::ListModelsResponse& models, const TerminalStyle& style) {
  if (models.models_size() == 0) return "no model is served\n";
  TextTable table({Align::kLeft, Align::kRight, Align::kLeft});
  table.AddRow({{"model", Ink::kDim}, {"version", Ink::kDim}, {"content sha256", Ink::kDim}});
  for (const v1::ModelIdentity& model : models.models()) {
    table.AddRow({{WithoutControls(model.name()), Ink::kBold},
                  {absl::StrCat(model.version())},
                  {DigestHex(model)}});
  }
  return table.Render(0, style);
}

}  // namespace lipserve
