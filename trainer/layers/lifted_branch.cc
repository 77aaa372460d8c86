// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/lifted_branch.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>
#include <variant>

#include "model/foundation/overloaded.h"
#include "trainer/constraints/freezing_rounding.h"
#include "trainer/layers/linear_residual.h"

namespace lipserve::trainer {
namespace {

// The channel indices at one position: those of the branch, and those of the skipped input.
struct Placement {
  std::vector<std::size_t> branch;
  std::vector<std::size_t> skip;
  std::size_t channels = 0;
};

std::vector<std::size_t> Range(std::size_t first, std::size_t count) {
  std::vector<std::size_t> range(count);
  std::iota(range.begin(), range.end(), first);
  return range;
}

// One after the other.
Placement SideBySide(std::size_t branch, std::size_t skip) {
  return {Range(0, branch), Range(branch, skip), branch + skip};
}

// Half of either in each half of the channels, so that pairs (c, C/2 + c) are pairs of one of them;
// a channel of zeros completes an odd number. Pairs of the branch are c and branch/2 + c, or 2 c
// and 2 c + 1 if they are `neighbours`.
Placement InHalves(std::size_t branch, std::size_t skip, bool neighbours) {
  const std::size_t pairs = branch / 2;
  const std::size_t skip_half = (skip + 1) / 2;
  const std::size_t half = pairs + skip_half;
  Placement placement{std::vector<std::size_t>(branch), std::vector<std::size_t>(skip), 2 * half};
  for (std::size_t c = 0; c < pairs; ++c) {
    placement.branch[neighbours ? 2 * c : c] = c;
    placement.branch[neighbours ? 2 * c + 1 : pairs + c] = half + c;
  }
  for (std::size_t c = 0; c < skip; ++c) {
    placement.skip[c] = pairs + (c < skip_half ? c : half + c - skip_half);
  }
  return placement;
}

// The placement that the activation which reads it needs; null if an affine layer reads it.
Placement PlacementFor(const FrozenLayer* next, std::size_t branch, std::size_t skip) {
  if (next == nullptr) return SideBySide(branch, skip);
  if (std::holds_alternative<GroupSortLayer>(*next)) return InHalves(branch, skip, true);
  const bool in_halves =
      std::holds_alternative<MaxMinLayer>(*next) || std::holds_alternative<HouseholderLayer>(*next);
  return in_halves ? InHalves(branch, skip, false) : SideBySide(branch, skip);
}

// Factors of one lifted affine layer.
struct Factors {
  double branch = 1.0;
  double skip = 1.0;
  double bias = 1.0;
};

float Scaled(double factor, float value) {
  return RoundForFreezing(factor * static_cast<double>(value));
}

// A layer of outputs x inputs blocks of `taps` weights, to be filled in.
class Blocks {
 public:
  Blocks(std::size_t outputs, std::size_t inputs, std::size_t taps)
      : inputs_(inputs), taps_(taps), weights_(outputs * inputs * taps), bias_(outputs) {}

  float& at(std::size_t output, std::size_t input, std::size_t tap) {
    return weights_[(output * inputs_ + input) * taps_ + tap];
  }
  float& bias(std::size_t output) { return bias_[output]; }

  // Weights and bias for a layer; no bias if all are 0.
  template <typename Layer>
  void MoveInto(Layer& layer) {
    layer.weights = std::move(weights_);
    const bool has_bias =
        std::any_of(bias_.begin(), bias_.end(), [](float b) { return b != 0.0F; });
    layer.bias = has_bias ? std::move(bias_) : std::vector<float>();
  }

 private:
  std::size_t inputs_;
  std::size_t taps_;
  std::vector<float> weights_;
  std::vector<float> bias_;
};

// Adds the branch's weights, and, through `identity_tap`, the identity for the skipped input. If
// `out` has no branch of its own, this layer closes the block: both end in the same channels.
template <typename Affine>
Blocks Lift(const Affine& affine, std::size_t channels_in, std::size_t groups, std::size_t taps,
            std::size_t identity_tap, const Placement& in, const Placement& out,
            const Factors& factors) {
  Blocks lifted(out.channels, in.channels, taps);
  const std::size_t channels_out = out.branch.size();
  const std::size_t in_group = channels_in / groups;
  const std::size_t out_group = channels_out / groups;
  for (std::size_t o = 0; o < channels_out; ++o) {
    for (std::size_t c = 0; c < in_group; ++c) {
      const std::size_t from = in.branch[o / out_group * in_group + c];
      for (std::size_t u = 0; u < taps; ++u) {
        lifted.at(out.branch[o], from, u) =
            Scaled(factors.branch, affine.weights[(o * in_group + c) * taps + u]);
      }
    }
    if (!affine.bias.empty()) {
      lifted.bias(out.branch[o]) = Scaled(factors.bias, affine.bias[o]);
    }
  }
  for (std::size_t c = 0; c < in.skip.size(); ++c) {
    float& weight = lifted.at(out.skip[c], in.skip[c], identity_tap);
    weight = RoundForFreezing(static_cast<double>(weight) + factors.skip);
  }
  return lifted;
}

FrozenLayer LiftAffine(const DenseLayer& dense, const Placement& in, const Placement& out,
                       const Factors& factors) {
  DenseLayer lifted;
  lifted.inputs = in.channels;
  lifted.outputs = out.channels;
  Lift(dense, dense.inputs, 1, 1, 0, in, out, factors).MoveInto(lifted);
  return lifted;
}

FrozenLayer LiftAffine(const ConvolutionLayer& convolution, const Placement& in,
                       const Placement& out, const Factors& factors) {
  ConvolutionLayer lifted = convolution;
  lifted.input.channels = in.channels;
  lifted.output_channels = out.channels;
  lifted.groups = 1;
  lifted.claimed_operator_norm_bound = 0.0;
  const std::size_t identity_tap = IdentityTap(convolution.vertical) * convolution.horizontal.size +
                                   IdentityTap(convolution.horizontal);
  Lift(convolution, convolution.input.channels, convolution.groups,
       convolution.vertical.size * convolution.horizontal.size, identity_tap, in, out, factors)
      .MoveInto(lifted);
  return lifted;
}

FrozenLayer LiftAffine(const FrozenLayer& layer, const Placement& in, const Placement& out,
                       const Factors& factors) {
  if (const auto* const dense = std::get_if<DenseLayer>(&layer)) {
    return LiftAffine(*dense, in, out, factors);
  }
  return LiftAffine(std::get<ConvolutionLayer>(layer), in, out, factors);
}

// The identity layer, which closes a branch that ends in an activation.
FrozenLayer Identity(const SampleShape& shape) {
  if (shape.height * shape.width == 1) {
    DenseLayer dense;
    dense.inputs = shape.channels;
    dense.outputs = shape.channels;
    dense.weights.resize(shape.channels * shape.channels);
    for (std::size_t c = 0; c < shape.channels; ++c) dense.weights[c * shape.channels + c] = 1.0F;
    return dense;
  }
  ConvolutionLayer convolution;
  convolution.input = shape;
  convolution.output_channels = shape.channels;
  convolution.groups = shape.channels;
  convolution.weights.assign(shape.channels, 1.0F);
  return convolution;
}

FrozenLayer LiftedSlopes(const std::vector<float>& slopes, const Placement& at) {
  PReluLayer lifted;
  lifted.slopes.assign(at.channels, 1.0F);
  for (std::size_t c = 0; c < at.branch.size(); ++c) lifted.slopes[at.branch[c]] = slopes[c];
  return lifted;
}

// `directions`: of the pairs of the branch.
FrozenLayer LiftedDirections(const std::vector<float>& directions, const Placement& at) {
  HouseholderLayer lifted;
  lifted.directions.resize(at.channels);
  std::copy(directions.begin(), directions.end(), lifted.directions.begin());
  return lifted;
}

std::vector<float> SameDirections(std::size_t pairs, float first, float second) {
  std::vector<float> directions;
  for (std::size_t c = 0; c < pairs; ++c) directions.insert(directions.end(), {first, second});
  return directions;
}

FrozenLayer LiftActivation(const FrozenLayer& layer, const Placement& at) {
  const std::size_t channels = at.branch.size();
  return std::visit(
      Overloaded{
          [&](const AbsLayer&) { return LiftedSlopes(std::vector<float>(channels, -1.0F), at); },
          [&](const PReluLayer& prelu) { return LiftedSlopes(prelu.slopes, at); },
          [&](const MaxMinLayer&) {
            return LiftedDirections(SameDirections(channels / 2, -1.0F, 1.0F), at);
          },
          [&](const GroupSortLayer&) {
            return LiftedDirections(SameDirections(channels / 2, 1.0F, -1.0F), at);
          },
          [&](const HouseholderLayer& householder) {
            return LiftedDirections(householder.directions, at);
          },
          [](const auto& other) {
            assert(false);
            return FrozenLayer(other);
          }},
      layer);
}

bool KeepsImage(const ConvolutionLayer& layer, const SampleShape& input) {
  const SampleShape output = layer.output();
  return output.height == input.height && output.width == input.width &&
         layer.vertical.stride == 1 && layer.horizontal.stride == 1 &&
         IdentityTap(layer.vertical) < layer.vertical.size &&
         IdentityTap(layer.horizontal) < layer.horizontal.size;
}

}  // namespace

bool IsAffine(const FrozenLayer& layer) {
  return std::holds_alternative<DenseLayer>(layer) ||
         std::holds_alternative<ConvolutionLayer>(layer);
}

bool CanBeLifted(const FrozenLayer& layer, const SampleShape& input) {
  return std::visit(
      Overloaded{
          [&](const DenseLayer&) { return input.height * input.width == 1; },
          [&](const ConvolutionLayer& convolution) { return KeepsImage(convolution, input); },
          [](const GroupSortLayer& sort) { return sort.group_size == 2; },
          [](const AbsLayer&) { return true; }, [](const PReluLayer&) { return true; },
          [](const MaxMinLayer&) { return true; }, [](const HouseholderLayer&) { return true; },
          [](const auto&) { return false; }},
      layer);
}

std::vector<FrozenLayer> LiftBranch(std::span<const FrozenLayer> f, const SampleShape& input,
                                    double a) {
  const std::size_t skip = input.channels;
  std::vector<FrozenLayer> branch(f.begin(), f.end());
  if (!IsAffine(branch.back())) branch.push_back(Identity(input));
  const double root_of_branch = std::sqrt(1.0 - a);
  std::vector<FrozenLayer> chain;
  Placement at{Range(0, skip), Range(0, skip), skip};  // x is both
  SampleShape shape = input;
  for (std::size_t i = 0; i < branch.size(); ++i) {
    if (!IsAffine(branch[i])) {
      chain.push_back(LiftActivation(branch[i], at));
      continue;
    }
    shape = OutputShape(branch[i], shape);
    const bool opens = i == 0;
    const bool closes = i + 1 == branch.size();
    Factors factors{.branch = 1.0, .skip = 1.0, .bias = root_of_branch};
    for (const bool scales : {opens, closes}) {
      factors.branch *= scales ? root_of_branch : 1.0;
      factors.skip *= scales ? std::sqrt(a) : 1.0;
    }
    if (closes) factors.bias = 1.0 - a;
    const FrozenLayer* const next = closes || IsAffine(branch[i + 1]) ? nullptr : &branch[i + 1];
    const Placement out = closes ? Placement{Range(0, skip), Range(0, skip), skip}
                                 : PlacementFor(next, shape.channels, skip);
    chain.push_back(LiftAffine(branch[i], at, out, factors));
    at = out;
  }
  return chain;
}

}  // namespace lipserve::trainer
