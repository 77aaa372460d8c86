// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/final_steps.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/import/node_arguments.h"

namespace lipserve::exchange {
namespace {

constexpr char kClassifier[] = "ai.onnx.ml.LinearClassifier";

// The node that makes a value; nullopt for the input.
std::optional<std::size_t> MakerOf(const Graph& graph, ValueId value) {
  for (std::size_t node = 0; node < graph.nodes.size(); ++node) {
    const auto& outputs = graph.nodes[node].outputs;
    if (std::find(outputs.begin(), outputs.end(), value) != outputs.end()) return node;
  }
  return std::nullopt;
}

// Whether `axis` of a node is that of the classes of samples that are vectors.
bool IsClassAxis(const Graph& graph, const Node& node, std::int64_t otherwise) {
  const auto rank = static_cast<std::int64_t>(graph.values[node.inputs[0]].dims.size());
  const std::int64_t axis = NodeArguments(graph, node).Int("axis", otherwise);
  // Before opset 13 a softmax takes all axes from `axis` on, which is the same for a vector.
  return rank == 2 && (axis < 0 ? axis + rank : axis) == 1;
}

std::optional<FinalStep> StepOf(const Graph& graph, const Node& node) {
  const std::int64_t softmax_axis = node.opset < 13 ? 1 : -1;
  if (node.op == "Softmax" && IsClassAxis(graph, node, softmax_axis)) return FinalStep::kSoftmax;
  if (node.op == "LogSoftmax" && IsClassAxis(graph, node, softmax_axis)) {
    return FinalStep::kLogSoftmax;
  }
  if (node.op == "Sigmoid") return FinalStep::kSigmoid;
  if (node.op == "ArgMax" && IsClassAxis(graph, node, 0)) return FinalStep::kArgMax;
  if (node.op == "ai.onnx.ml.Normalizer" &&
      NodeArguments(graph, node).Text("norm", "MAX") == "L1") {
    return FinalStep::kNormalizer;
  }
  return std::nullopt;
}

// Where an output comes from, before its final steps.
struct Trail {
  ValueId scores = 0;
  std::vector<FinalStep> steps;  // the last one first
};

// The value of which `value` is another view, with the numbers of a sample in the same order.
ValueId BeforeReshapes(const Graph& graph, ValueId value) {
  while (const auto maker = MakerOf(graph, value)) {
    const Node& node = graph.nodes[*maker];
    const bool reshapes = node.op == "Identity" || node.op == "Reshape" || node.op == "Flatten" ||
                          node.op == "Squeeze" || node.op == "Unsqueeze";
    const auto& dims = graph.values[value].dims;
    if (!reshapes || dims.empty() || dims[0] != kBatch) break;
    value = node.inputs[0];
  }
  return value;
}

Trail TrailOf(const Graph& graph, ValueId output) {
  Trail trail{.scores = output, .steps = {}};
  while (const auto maker = MakerOf(graph, BeforeReshapes(graph, trail.scores))) {
    const auto step = StepOf(graph, graph.nodes[*maker]);
    if (!step) break;
    trail.steps.push_back(*step);
    trail.scores = graph.nodes[*maker].inputs[0];
  }
  return trail;
}

// The same; the label of a LinearClassifier stands for its scores.
Trail ScoresTrailOf(const Graph& graph, ValueId output) {
  Trail trail = TrailOf(graph, output);
  const auto maker = MakerOf(graph, trail.scores);
  if (maker && graph.nodes[*maker].op == kClassifier) {
    trail.scores = graph.nodes[*maker].outputs[0];
  }
  return trail;
}

// The scores of a LinearClassifier before its transform. Both of its outputs follow from them.
absl::Status TakeOffClassifierTransform(Converted& converted, Trail& trail) {
  Graph& graph = converted.graph;
  const auto maker = MakerOf(graph, trail.scores);
  if (!maker || graph.nodes[*maker].op != kClassifier) return absl::OkStatus();
  Node& node = graph.nodes[*maker];
  if (node.outputs.size() < 2) {
    return NodeError(graph, node, "expected two outputs, a label and scores, got one");
  }
  if (node.outputs[1] == kNoValue) {
    // Nobody read the scores.
    node.outputs[1] = graph.values.size();
    const std::size_t classes = std::max(NodeArguments(graph, node).Ints("classlabels_ints").size(),
                                         NodeArguments(graph, node).Floats("intercepts").size());
    graph.values.push_back({.name = absl::StrCat(node.name, " scores"),
                            .dims = {kBatch, static_cast<std::int64_t>(classes)}});
  }
  trail.scores = node.outputs[1];
  const std::string transform = NodeArguments(graph, node).Text("post_transform", "NONE");
  if (transform == "SOFTMAX") {
    trail.steps.push_back(FinalStep::kSoftmax);
  } else if (transform == "LOGISTIC") {
    trail.steps.push_back(FinalStep::kSigmoid);
  } else if (transform != "NONE") {
    return NodeError(graph, node,
                     absl::StrCat("post_transform: expected NONE, SOFTMAX or "
                                  "LOGISTIC, got ",
                                  transform));
  }
  node.attributes["post_transform"] = std::string("NONE");
  return absl::OkStatus();
}

const char* NameOf(FinalStep step) {
  switch (step) {
    case FinalStep::kSoftmax:
      return "Softmax";
    case FinalStep::kLogSoftmax:
      return "LogSoftmax";
    case FinalStep::kSigmoid:
      return "Sigmoid";
    case FinalStep::kNormalizer:
      return "Normalizer";
    case FinalStep::kArgMax:
      return "ArgMax";
  }
  return "";
}

// Removes the nodes that the scores do not depend on.
void KeepScoresOnly(Graph& graph, ValueId scores) {
  std::vector<bool> is_needed(graph.values.size());
  is_needed[scores] = true;
  std::vector<Node> kept;
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    Node& node = graph.nodes[i];
    const bool needed = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId value) {
      return value != kNoValue && is_needed[value];
    });
    if (!needed) continue;
    for (const ValueId input : node.inputs) {
      if (input != kNoValue) is_needed[input] = true;
    }
    for (ValueId& output : node.outputs) {
      if (output != kNoValue && !is_needed[output]) output = kNoValue;
    }
    kept.push_back(std::move(node));
  }
  std::reverse(kept.begin(), kept.end());
  graph.nodes = std::move(kept);
  graph.outputs = {scores};
}

void AddNotes(Converted& converted, std::size_t scores) {
  if (converted.final_steps.empty()) return;
  std::vector<std::string> names;
  for (const FinalStep step : converted.final_steps) names.emplace_back(NameOf(step));
  converted.notes.push_back(absl::StrCat(
      absl::StrJoin(names, ", "),
      " at the end left out: it keeps the order of the classes, and a radius is about scores"));
  const auto& steps = converted.final_steps;
  if (scores == 1 && std::find(steps.begin(), steps.end(), FinalStep::kSigmoid) != steps.end()) {
    converted.notes.emplace_back(
        "one output: the first label is the class of a sigmoid of at least .5, that is, of a score "
        "of at least 0; the second label is the other one");
  }
}

std::vector<double> Softmax(std::vector<double> scores) {
  const double largest = *std::max_element(scores.begin(), scores.end());
  for (double& score : scores) score = std::exp(score - largest);
  const double sum = std::accumulate(scores.begin(), scores.end(), 0.0);
  for (double& score : scores) score /= sum;
  return scores;
}

std::vector<double> After(FinalStep step, std::vector<double> scores) {
  switch (step) {
    case FinalStep::kSoftmax:
      return Softmax(std::move(scores));
    case FinalStep::kLogSoftmax:
      scores = Softmax(std::move(scores));
      for (double& score : scores) score = std::log(score);
      return scores;
    case FinalStep::kSigmoid:
      for (double& score : scores) score = 1.0 / (1.0 + std::exp(-score));
      return scores;
    case FinalStep::kNormalizer: {
      double sum = 0.0;
      for (const double score : scores) sum += std::abs(score);
      for (double& score : scores) score /= sum;
      return scores;
    }
    case FinalStep::kArgMax:
      return {static_cast<double>(std::max_element(scores.begin(), scores.end()) - scores.begin())};
  }
  return scores;
}

}  // namespace

absl::Status TakeOffFinalSteps(Converted& converted) {
  Graph& graph = converted.graph;
  if (graph.outputs.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(graph.file, ": expected an output, got none"));
  }
  Trail longest = ScoresTrailOf(graph, graph.outputs[0]);
  for (const ValueId output : graph.outputs) {
    Trail trail = ScoresTrailOf(graph, output);
    if (longest.scores != trail.scores) {
      return absl::InvalidArgumentError(absl::StrCat(
          graph.file, ": expected one output of scores, got '", graph.values[longest.scores].name,
          "' and '", graph.values[trail.scores].name, "'; export the scores alone"));
    }
    if (trail.steps.size() > longest.steps.size()) longest = std::move(trail);
  }
  LIPSERVE_RETURN_IF_ERROR(TakeOffClassifierTransform(converted, longest));
  KeepScoresOnly(graph, longest.scores);
  converted.final_steps.assign(longest.steps.rbegin(), longest.steps.rend());
  const auto& dims = graph.values[longest.scores].dims;
  AddNotes(converted, dims.size() == 2 ? static_cast<std::size_t>(dims[1]) : 0);
  return absl::OkStatus();
}

std::vector<double> AfterFinalSteps(const Converted& converted, std::vector<double> scores) {
  for (const FinalStep step : converted.final_steps) scores = After(step, std::move(scores));
  return scores;
}

}  // namespace lipserve::exchange
