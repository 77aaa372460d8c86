// SPDX-License-Identifier: Apache-2.0
#include "trainer/cli/summary_table.h"

#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "trainer/layers/layer.h"

namespace lipserve::trainer {
namespace {

constexpr std::size_t kWidth = 101;

// 25664 as "25,664".
std::string WithCommas(std::size_t number) {
  std::string text = absl::StrCat(number);
  for (std::size_t i = text.size(); i > 3;) {
    i -= 3;
    text.insert(i, ",");
  }
  return text;
}

// Numbers of all parameters, or of all states, of a layer and of the layers inside.
template <typename Array>
std::size_t CountNumbers(Layer& layer, std::vector<Array>& (Layer::*arrays)()) {
  std::size_t count = 0;
  for (const Array& array : (layer.*arrays)()) count += array.values.size();
  for (Layer* const inner : layer.InnerLayers()) count += CountNumbers(*inner, arrays);
  return count;
}

std::string ShapeText(const SampleShape& shape) {
  if (shape.height == 1 && shape.width == 1) return absl::StrCat("(None, ", shape.channels, ")");
  return absl::StrCat("(None, ", shape.channels, ", ", shape.height, ", ", shape.width, ")");
}

std::string ConstraintText(const v1::LayerSpec& spec) {
  switch (spec.kind_case()) {
    case v1::LayerSpec::kFlatten:
    case v1::LayerSpec::kGroupSort:
    case v1::LayerSpec::kFullSort:
    case v1::LayerSpec::kInvertibleDownSampling:
    case v1::LayerSpec::kInvertibleUpSampling:
      return "moves values only";
    case v1::LayerSpec::kSpectralDense:
      return "singular values 1";
    case v1::LayerSpec::kFrobeniusDense:
      return spec.frobenius_dense().disjoint_neurons() ? "norm of each row 1" : "Frobenius norm 1";
    case v1::LayerSpec::kDense:
    case v1::LayerSpec::kNearestPrototype:
      return "none; margins divide it out";
    case v1::LayerSpec::kAolDense:
    case v1::LayerSpec::kConvolution:
    case v1::LayerSpec::kLinearResidualDense:
      return "operator norm at most 1";
    case v1::LayerSpec::kLayerCentering:
    case v1::LayerSpec::kScaledAveragePool:
    case v1::LayerSpec::kScaledGlobalAveragePool:
      return "operator norm 1";
    case v1::LayerSpec::kBatchCentering:
      return "shifts values only";
    case v1::LayerSpec::kResidual:
    case v1::LayerSpec::kSoftHuber:
    case v1::LayerSpec::kSllDense:
    case v1::LayerSpec::kCplDense:
    case v1::LayerSpec::kSllConvolution:
    case v1::LayerSpec::kCplConvolution:
    case v1::LayerSpec::kAbs:
    case v1::LayerSpec::kMaxMin:
    case v1::LayerSpec::kConcatenatedRelu:
    case v1::LayerSpec::kHouseholder:
    case v1::LayerSpec::kPrelu:
    case v1::LayerSpec::kScaledL2NormPool:
    case v1::LayerSpec::kScaledGlobalL2NormPool:
      return "1-Lipschitz";
    case v1::LayerSpec::KIND_NOT_SET:
      break;
  }
  return "";
}

std::string Row(const std::string& layer, const std::string& shape, const std::string& parameters,
                const std::string& constraint) {
  return absl::StrFormat("%-38s%-26s%-12s%s\n", layer, shape, parameters, constraint);
}

}  // namespace

std::string SummaryTable(const v1::Recipe& recipe, const TrainableNetwork& network) {
  std::string text = absl::StrCat("Model: \"", recipe.name(), "\", input ",
                                  ShapeText(network.input_shape()), "\n");
  absl::StrAppend(&text, std::string(kWidth, '_'), "\n",
                  Row("Layer (type)", "Output Shape", "Param #", "Constraint"),
                  std::string(kWidth, '='), "\n");
  std::size_t trainable = 0;
  std::size_t fixed = 0;
  for (std::size_t i = 0; i < network.layers().size(); ++i) {
    Layer& layer = *network.layers()[i];
    const std::size_t parameters = CountNumbers<Parameter>(layer, &Layer::parameters);
    trainable += parameters;
    fixed += CountNumbers<State>(layer, &Layer::states);
    absl::StrAppend(&text, Row(absl::StrCat("layer", i, " (", layer.type(), ")"),
                               ShapeText(layer.output_shape()), WithCommas(parameters),
                               ConstraintText(recipe.layers(static_cast<int>(i)))));
  }
  absl::StrAppend(&text, std::string(kWidth, '='), "\n");
  absl::StrAppend(&text, "Total params: ", WithCommas(trainable + fixed),
                  "\nTrainable params: ", WithCommas(trainable),
                  "\nNon-trainable params: ", WithCommas(fixed), "\n", std::string(kWidth, '_'),
                  "\n");
  return text;
}

}  // namespace lipserve::trainer
