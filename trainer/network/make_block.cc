// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/make_block.h"

#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/certificate/convolution_norm.h"
#include "model/foundation/status_macros.h"
#include "trainer/layers/convolution.h"
#include "trainer/layers/dense.h"
#include "trainer/layers/free_dense.h"
#include "trainer/layers/lifted_branch.h"
#include "trainer/layers/residual.h"
#include "trainer/network/make_layer.h"

namespace lipserve::trainer {
namespace {

constexpr double kDefaultSkip = 0.5;

// Whether a layer of this kind has a constant of at most 1, all outputs together, and may be a part
// of a branch if its sizes allow.
bool MayBePart(const v1::LayerSpec& spec) {
  switch (spec.kind_case()) {
    case v1::LayerSpec::kFrobeniusDense:
      return !spec.frobenius_dense().disjoint_neurons();
    case v1::LayerSpec::kSpectralDense:
    case v1::LayerSpec::kAolDense:
    case v1::LayerSpec::kLinearResidualDense:
    case v1::LayerSpec::kConvolution:
    case v1::LayerSpec::kGroupSort:
    case v1::LayerSpec::kMaxMin:
    case v1::LayerSpec::kAbs:
    case v1::LayerSpec::kPrelu:
    case v1::LayerSpec::kHouseholder:
      return true;
    default:
      return false;
  }
}

// The layer that `layer` freezes to, without its numbers.
FrozenLayer ShapeOf(const Layer& layer) {
  if (const auto* const dense = dynamic_cast<const Dense*>(&layer)) {
    DenseLayer shape;
    shape.inputs = dense->inputs();
    shape.outputs = dense->outputs();
    shape.weights.resize(shape.inputs * shape.outputs);
    return shape;
  }
  if (const auto* const convolution = dynamic_cast<const Convolution*>(&layer)) {
    ConvolutionLayer shape = convolution->geometry();
    shape.weights.resize(shape.output_channels * shape.fan_in());
    return shape;
  }
  return layer.Freeze();
}

absl::Status NoPart(const LayerPlace& place, const std::string& got) {
  return place.Error(
      ": expected an affine layer of norm 1 that keeps the size of images, with stride 1 and a tap "
      "on every position itself, or group_sort { group_size: 2 }, max_min, abs, prelu, "
      "householder, "
      "got %s",
      got);
}

// Appends the shape of `layer`, whose place is `place`, to those of the branch before it.
absl::Status AppendShape(const Layer& layer, const v1::LayerSpec& spec, const LayerPlace& place,
                         std::vector<FrozenLayer>& shapes) {
  if (!MayBePart(spec)) return NoPart(place, layer.type());
  FrozenLayer shape = ShapeOf(layer);
  if (!CanBeLifted(shape, place.input_shape)) return NoPart(place, DescribeLayer(shape));
  if (!IsAffine(shape) && (shapes.empty() || !IsAffine(shapes.back()))) {
    return place.Error(": expected an affine layer before each activation, got %s first",
                       DescribeLayer(shape));
  }
  shapes.push_back(std::move(shape));
  return absl::OkStatus();
}

// Refuse, before training, a chain whose proof would cost too much.
absl::Status CheckProofs(const std::vector<FrozenLayer>& branch, const LayerPlace& place) {
  for (const FrozenLayer& layer : LiftBranch(branch, place.input_shape, kDefaultSkip)) {
    const auto* const convolution = std::get_if<ConvolutionLayer>(&layer);
    if (convolution == nullptr) continue;
    if (const auto method = ChooseConvolutionNormMethod(*convolution); !method.ok()) {
      return place.Error(": the norm of its frozen %s cannot be proven: %s", DescribeLayer(layer),
                         std::string(method.status().message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Layer>> MakeResidualBlock(const v1::ResidualSpec& spec,
                                                         const LayerPlace& place,
                                                         std::mt19937_64& random) {
  const double a = spec.has_initial_skip() ? spec.initial_skip() : kDefaultSkip;
  if (!(a > 0.0 && a < 1.0)) {
    return place.Error(".initial_skip: expected a number in (0, 1), or none for %g, got %g",
                       kDefaultSkip, a);
  }
  if (spec.layers().empty()) return place.Error(".layers: expected at least 1, got none");
  std::vector<std::unique_ptr<Layer>> branch;
  std::vector<FrozenLayer> shapes;
  SampleShape shape = place.input_shape;
  for (int i = 0; i < spec.layers_size(); ++i) {
    const LayerPlace inside{place.index, absl::StrCat(place.type, ".layers[", i, "]"), shape};
    absl::StatusOr<std::unique_ptr<Layer>> layer =
        MakeLayer(spec.layers(i), place.index, shape, random);
    if (!layer.ok()) {
      return inside.Error(": %s", std::string(layer.status().message()));
    }
    LIPSERVE_RETURN_IF_ERROR(AppendShape(**layer, spec.layers(i), inside, shapes));
    shape = (*layer)->output_shape();
    branch.push_back(*std::move(layer));
  }
  if (shape != place.input_shape) {
    return place.Error(".layers: expected to end in [%d, %d, %d], as they start, got [%d, %d, %d]",
                       place.input_shape.channels, place.input_shape.height,
                       place.input_shape.width, shape.channels, shape.height, shape.width);
  }
  LIPSERVE_RETURN_IF_ERROR(CheckProofs(shapes, place));
  return std::make_unique<Residual>(shape, std::move(branch), a);
}

}  // namespace lipserve::trainer
