// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/converter.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/graph/refused_operators.h"
#include "trainer/exchange/import/conversion.h"
#include "trainer/exchange/import/final_steps.h"
#include "trainer/exchange/import/linear_layers.h"
#include "trainer/exchange/import/node_arguments.h"
#include "trainer/exchange/import/operators.h"
#include "trainer/exchange/import/view.h"

namespace lipserve::exchange {
namespace {

// As CheckNetwork: the most numbers of a sample.
constexpr std::int64_t kMaxSampleSize = std::int64_t{1} << 22;

// The last node of a pattern looks at values that no node reads any more, of this many nodes.
constexpr std::size_t kLongestPattern = 24;

bool IsColour(std::int64_t channels) { return channels == 1 || channels == 3 || channels == 4; }

// Whether something reads the input as ONNX reads images: channels first.
bool ReadsChannelsFirst(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&graph](const Node& node) {
    return !node.inputs.empty() && node.inputs[0] == graph.input &&
           (node.op == "Conv" || node.op == "MaxPool" || node.op == "AveragePool" ||
            node.op == "BatchNormalization");
  });
}

// Whether the graph turns images with their channels last round, as TensorFlow's exporters do.
bool TurnsChannelsFirst(const Graph& graph) {
  const Dims order = {0, 3, 1, 2};
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return node.op == "Transpose" && NodeArguments(graph, node).Ints("perm") == order;
  });
}

// Images whose channels come last become [C, H, W], as the server takes images: those that the
// graph turns round, and square grey and colour images.
InputLayout LayoutOf(const Graph& graph) {
  const auto& all = graph.values[graph.input].dims;
  const Dims dims(all.begin() + 1, all.end());
  InputLayout layout{.dims = dims, .shape = ShapeOf(dims)};
  const bool looks_like_it =
      dims.size() == 3 && IsColour(dims[2]) && !IsColour(dims[0]) && dims[1] > 1;
  const bool is_square = looks_like_it && dims[0] == dims[1] && dims[2] != 4;
  if (looks_like_it && (is_square || TurnsChannelsFirst(graph)) && !ReadsChannelsFirst(graph)) {
    layout.channels_last = true;
    layout.shape = {static_cast<std::size_t>(dims[2]), static_cast<std::size_t>(dims[0]),
                    static_cast<std::size_t>(dims[1])};
  }
  return layout;
}

View InputViewOf(const InputLayout& layout) {
  if (!layout.channels_last) return WholeValue(0, layout.shape, layout.dims);
  const Dims image = {layout.dims[2], layout.dims[0], layout.dims[1]};
  return PermuteAxes(WholeValue(0, layout.shape, image), std::vector<std::size_t>{1, 2, 0});
}

// A sample that is no larger than the network may hold.
absl::Status CheckSample(const Value& value) {
  std::int64_t size = 1;
  if (value.dims.empty() || value.dims[0] != kBatch) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected an output with the batch as its first dimension, got ",
                     DimsText(value.dims), "; an operator must not mix samples"));
  }
  for (std::size_t axis = 1; axis < value.dims.size(); ++axis) {
    const std::int64_t dim = value.dims[axis];
    if (dim < 1 || dim > kMaxSampleSize / size) {
      return absl::InvalidArgumentError(absl::StrCat("expected samples of 1 to ", kMaxSampleSize,
                                                     " numbers, got ", DimsText(value.dims)));
    }
    size *= dim;
  }
  return absl::OkStatus();
}

// Why an operator is not taken: of those that a graph may have, which are not refused by reading.
std::string WhyNotTaken(const std::string& op) {
  if (op == "Sigmoid") return WhyRefused("Tanh");
  if (op == "Softmax" || op == "LogSoftmax") {
    return "a softmax is left out only at the end of a network, over its classes";
  }
  if (op == "Sign") return "it jumps, so no Lipschitz constant holds: binarised networks have none";
  return WhyRefused(op);
}

absl::Status NotTaken(const std::string& op) {
  return absl::InvalidArgumentError(
      absl::StrCat("expected an operator of a frozen layer (dense, convolution, sort, ReLU, pool, "
                   "sum), got ",
                   op, ": ", WhyNotTaken(op)));
}

// Converts node `number`. An error stays with its outputs: it counts only if the scores depend on
// them, which a pattern that a later node completes may prevent.
void ConvertNode(Conversion& conversion, std::size_t number) {
  const Graph& graph = conversion.graph();
  const Node& node = graph.nodes[number];
  const NodeArguments arguments(graph, node);
  conversion.Begin(number);
  const auto fail = [&](const absl::Status& status) {
    for (std::size_t output = 0; output < node.outputs.size(); ++output) {
      conversion.SetView(number, output, status);
    }
  };
  const ConvertOperator convert = FindOperator(node.op);
  absl::Status status = convert == nullptr ? NotTaken(node.op) : absl::OkStatus();
  absl::Status earlier;  // of an input
  for (const ValueId input : node.inputs) {
    if (input == kNoValue || graph.values[input].is_constant || !earlier.ok()) continue;
    earlier = conversion.ViewOf(input).status();
  }
  for (const ValueId output : node.outputs) {
    if (output == kNoValue || !status.ok() || node.op == "ai.onnx.ml.LinearClassifier") continue;
    status = CheckSample(graph.values[output]);
  }
  if (!status.ok()) return fail(earlier.ok() ? arguments.Error(status.message()) : earlier);
  absl::StatusOr<Views> views = convert(conversion, arguments);
  if (!views.ok()) {
    return fail(earlier.ok() ? arguments.Error(views.status().message()) : earlier);
  }
  for (std::size_t output = 0; output < node.outputs.size(); ++output) {
    if (output < views->size()) {
      conversion.SetView(number, output, std::move((*views)[output]));
    } else {
      conversion.SetView(number, output,
                         arguments.Error("expected the first output to be used, got another"));
    }
  }
}

bool IsComparison(const std::string& op) {
  return op == "Greater" || op == "GreaterOrEqual" || op == "Less" || op == "LessOrEqual";
}

// The last reader of each value of a graph, as a node; the number of nodes for outputs.
std::vector<std::size_t> LastReadersOf(const Graph& graph) {
  std::vector<std::size_t> last(graph.values.size(), 0);
  for (std::size_t node = 0; node < graph.nodes.size(); ++node) {
    for (const ValueId input : graph.nodes[node].inputs) {
      if (input != kNoValue) last[input] = node;
    }
  }
  // Patterns that end later look back: at what a Sign reads, and around a comparison.
  std::size_t comparisons = 0;
  for (const Node& node : graph.nodes) {
    if (node.op == "Sign") last[node.inputs[0]] = graph.nodes.size();
    if (IsComparison(node.op)) ++comparisons;
  }
  constexpr std::size_t kMostRemembered = 4096;
  if (comparisons > 0 && graph.values.size() <= kMostRemembered) {
    std::fill(last.begin(), last.end(), graph.nodes.size());
  }
  for (const ValueId output : graph.outputs) last[output] = graph.nodes.size();
  return last;
}

// The value of the scores, made by a dense layer.
absl::StatusOr<std::size_t> ScoresOf(Conversion& conversion, View view) {
  LIPSERVE_ASSIGN_OR_RETURN(view, conversion.Realise(std::move(view)));
  conversion.FoldIntoProducer(view);
  const std::size_t value = view.source.value;
  DraftLayer* const layer = conversion.draft().producer(value);
  if (layer != nullptr && std::holds_alternative<DenseLayer>(layer->layer) && view.IsPure() &&
      view.IsIdentity(conversion.draft().shape(value).size())) {
    AddNodes(view.nodes, layer->nodes);
    return value;
  }
  const std::size_t size = view.size();
  constexpr std::size_t kMaxScores = 2048;  // as CheckNetwork
  if (size > kMaxScores) {
    return absl::InvalidArgumentError(absl::StrCat(conversion.graph().file, ": expected at most ",
                                                   kMaxScores, " scores, got ", size));
  }
  std::vector<double> identity(size * size, 0.0);
  for (std::size_t i = 0; i < size; ++i) identity[i * size + i] = 1.0;
  LIPSERVE_ASSIGN_OR_RETURN(
      const View scores,
      AddDense(conversion, std::move(view), std::move(identity), std::vector<double>(size, 0.0)));
  return scores.source.value;
}

absl::Status CheckInputOf(const Graph& graph) {
  const Value& input = graph.values[graph.input];
  const absl::Status status = CheckSample(input);
  if (status.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(graph.file, ": input '", input.name, "': ", status.message()));
}

}  // namespace

ConvertOperator FindOperator(const std::string& op) {
  static const std::map<std::string, ConvertOperator> operators = {
      {"Abs", ConvertAbs},
      {"Add", ConvertAdd},
      {"AveragePool", ConvertAveragePool},
      {"BatchNormalization", ConvertBatchNorm},
      {"Cast", ConvertCast},
      {"Clip", ConvertClip},
      {"Concat", ConvertConcat},
      {"Conv", ConvertConv},
      {"ConvTranspose", ConvertConvTranspose},
      {"DepthToSpace", ConvertDepthToSpace},
      {"Div", ConvertDiv},
      {"Expand", ConvertExpand},
      {"Flatten", ConvertReshape},
      {"Gather", ConvertGather},
      {"Gemm", ConvertGemm},
      {"GlobalAveragePool", ConvertGlobalAveragePool},
      {"GlobalMaxPool", ConvertGlobalMaxPool},
      {"Identity", ConvertReshape},
      {"LeakyRelu", ConvertLeakyRelu},
      {"MatMul", ConvertMatMul},
      {"Max", ConvertMax},
      {"MaxPool", ConvertMaxPool},
      {"Min", ConvertMin},
      {"Mul", ConvertMul},
      {"Neg", ConvertNeg},
      {"PRelu", ConvertPRelu},
      {"Pad", ConvertPad},
      {"Pow", ConvertPow},
      {"ReduceL2", ConvertReduceL2},
      {"ReduceMax", ConvertReduceMax},
      {"ReduceMean", ConvertReduceMean},
      {"ReduceMin", ConvertReduceMin},
      {"ReduceSum", ConvertReduceSum},
      {"Relu", ConvertRelu},
      {"Reshape", ConvertReshape},
      {"Slice", ConvertSlice},
      {"SpaceToDepth", ConvertSpaceToDepth},
      {"Split", ConvertSplit},
      {"Sqrt", ConvertSqrt},
      {"Squeeze", ConvertReshape},
      {"Sub", ConvertSub},
      {"Sum", ConvertSum},
      {"TopK", ConvertTopK},
      {"Transpose", ConvertTranspose},
      {"Unsqueeze", ConvertReshape},
      {"ai.onnx.ml.LinearClassifier", ConvertLinearClassifier},
      {"ai.onnx.ml.Scaler", ConvertScaler},
  };
  const auto found = operators.find(op);
  return found == operators.end() ? nullptr : found->second;
}

absl::StatusOr<Converted> Convert(Graph graph, const std::optional<SampleShape>& served_as) {
  Converted converted;
  converted.graph = std::move(graph);
  converted.notes = converted.graph.notes;
  LIPSERVE_RETURN_IF_ERROR(CheckInputOf(converted.graph));
  LIPSERVE_RETURN_IF_ERROR(TakeOffFinalSteps(converted));
  const Graph& g = converted.graph;
  converted.layout = LayoutOf(g);
  if (served_as) {
    if (converted.layout.dims.size() != 1 || served_as->size() != converted.layout.shape.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat(g.file, ": --input-shape: expected the shape of samples of ",
                       DimsText(converted.layout.dims), ", got ", DescribeShape(*served_as)));
    }
    converted.layout.shape = *served_as;
  }
  Conversion conversion(g, converted.layout.shape);
  conversion.Share(g.input, std::make_shared<const View>(InputViewOf(converted.layout)));
  const std::vector<std::size_t> last_readers = LastReadersOf(g);
  for (std::size_t node = 0; node < g.nodes.size(); ++node) {
    ConvertNode(conversion, node);
    if (node < kLongestPattern) continue;
    const std::size_t past = node - kLongestPattern;
    for (const ValueId input : g.nodes[past].inputs) {
      if (input != kNoValue && last_readers[input] == past) conversion.Forget(input);
    }
  }
  const absl::StatusOr<SharedView>& scores = conversion.ViewOf(g.outputs[0]);
  if (!scores.ok()) return scores.status();
  LIPSERVE_ASSIGN_OR_RETURN(const std::size_t value, ScoresOf(conversion, **scores));
  absl::StatusOr<FinishedDraft> finished = conversion.draft().Finish(value);
  if (!finished.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(g.file, ": ", finished.status().message()));
  }
  converted.network = std::move(finished->network);
  converted.nodes = std::move(finished->nodes);
  converted.rounded_weights = finished->rounded_weights;
  converted.flushed_weights = finished->flushed_weights;
  if (const absl::Status check = CheckNetwork(converted.network); !check.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(g.file, ": the converted network: ", check.message()));
  }
  return converted;
}

}  // namespace lipserve::exchange
