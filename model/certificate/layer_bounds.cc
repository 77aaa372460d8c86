// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/layer_bounds.h"

#include <cassert>
#include <cmath>
#include <span>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/arithmetic/vector_norm.h"
#include "model/certificate/absolute_norm.h"
#include "model/certificate/convolution_norm.h"
#include "model/certificate/operator_norm.h"
#include "model/certificate/window_reads.h"
#include "model/foundation/overloaded.h"
#include "model/foundation/status_macros.h"
#include "model/network/matrix_view.h"

namespace lipserve {
namespace {

Upper Root(std::size_t n) { return SqrtUp(Upper(static_cast<double>(n))); }

// max(1, squares - 1), rounded up: the Lipschitz constant of x - U max(U^T x + b, 0) with ||U||_2^2
// <= squares (README.md, Lemma 8).
Upper ReflectionNorm(Upper squares) { return Max(Upper(1.0), SubtractUp(squares, 1.0)); }

// The bounds that follow from the weights of each output, [outputs, fan_in], and its bias.
LayerBounds BoundsOfRows(std::span<const float> weights, std::size_t fan_in,
                         std::span<const float> bias) {
  LayerBounds bounds;
  bounds.fan_in = fan_in;
  for (std::size_t first = 0; first < weights.size(); first += fan_in) {
    const auto row = weights.subspan(first, fan_in);
    bounds.largest_row_norm = Max(bounds.largest_row_norm, NormBound(row));
    bounds.largest_row_norm1 = Max(bounds.largest_row_norm1, Norm1Bound(row));
  }
  bounds.bias_norm = NormBound(bias);
  for (const float b : bias) {
    bounds.largest_bias = Max(bounds.largest_bias, Upper(std::fabs(static_cast<double>(b))));
  }
  return bounds;
}

LayerBounds BoundsOfDense(const DenseLayer& dense, const StopCheck& stop) {
  LayerBounds bounds = BoundsOfRows(dense.weights, dense.inputs, dense.bias);
  bounds.outputs = dense.outputs;
  bounds.operator_norm = Upper(dense.claimed_operator_norm_bound);
  bounds.absolute_norm = AbsoluteNormBound(dense, stop);
  return bounds;
}

LayerBounds BoundsOfConvolution(const ConvolutionLayer& layer, const StopCheck& stop) {
  LayerBounds bounds = BoundsOfRows(layer.weights, layer.fan_in(), layer.bias);
  const SampleShape output = layer.output();
  bounds.outputs = output.size();
  bounds.operator_norm = Upper(layer.claimed_operator_norm_bound);
  bounds.absolute_norm = AbsoluteNormBound(layer, stop);
  bounds.bias_norm = Root(output.height * output.width) * bounds.bias_norm;
  // At most this many taps of a window read the same pixel: (a_1 + ... + a_m)^2 <= m (a_1^2 + ...).
  const WindowReads vertical(layer.vertical, layer.padding_mode, layer.input.height);
  const WindowReads horizontal(layer.horizontal, layer.padding_mode, layer.input.width);
  bounds.largest_row_norm =
      Root(vertical.most_reads_by_one_output() * horizontal.most_reads_by_one_output()) *
      bounds.largest_row_norm;
  return bounds;
}

LayerBounds BoundsOfAveragePool(const AveragePoolLayer& pool, std::size_t outputs) {
  const std::size_t size = pool.window_height * pool.window_width;
  const Upper scale(static_cast<double>(pool.scale));
  // Disjoint windows: T T^T = scale^2 size I, and T has no negative entry.
  const Upper norm = scale * Root(size);
  return {.fan_in = size,
          .outputs = outputs,
          .operator_norm = norm,
          .absolute_norm = norm,
          .bias_norm = Upper(),
          // It is executed as scale * (sum), and the sum may be larger than the result.
          .largest_row_norm = Max(scale, Upper(1.0)) * Root(size),
          .largest_row_norm1 = scale * Upper(static_cast<double>(size)),
          .largest_bias = Upper()};
}

LayerBounds BoundsOfL2NormPool(const L2NormPoolLayer& pool, std::size_t outputs) {
  const std::size_t size = pool.window_height * pool.window_width;
  return {.fan_in = size,
          .outputs = outputs,
          .operator_norm = Upper(1.0),
          .absolute_norm = Upper(1.0),
          .bias_norm = Upper(),
          .largest_row_norm = Upper(1.0),
          .largest_row_norm1 = Upper(1.0),
          .largest_bias = Upper()};
}

LayerBounds BoundsOfPRelu(const PReluLayer& prelu, std::size_t outputs) {
  Upper largest(1.0);
  for (const float slope : prelu.slopes) {
    largest = Max(largest, Upper(std::fabs(static_cast<double>(slope))));
  }
  return {.fan_in = 1,
          .outputs = outputs,
          .operator_norm = largest,
          .absolute_norm = largest,
          .bias_norm = Upper(),
          .largest_row_norm = largest,
          .largest_row_norm1 = largest,
          .largest_bias = Upper()};
}

LayerBounds BoundsOfHouseholder(const HouseholderLayer& layer, std::size_t outputs) {
  Upper squares(1.0);  // of the longest direction
  for (std::size_t c = 0; c < layer.directions.size(); c += 2) {
    const auto v0 = static_cast<double>(layer.directions[c]);
    const auto v1 = static_cast<double>(layer.directions[c + 1]);
    squares = Max(squares, Upper(v0 * v0) + Upper(v1 * v1));  // the products are exact
  }
  const Upper absolute = Upper(1.0) + squares;
  return {.fan_in = 3,
          .outputs = outputs,
          .operator_norm = ReflectionNorm(squares),
          .absolute_norm = absolute,
          .bias_norm = Upper(),
          .largest_row_norm = absolute,
          .largest_row_norm1 = Upper(2.0) * absolute,
          .largest_bias = Upper()};
}

// README.md, Lemma 11.
LayerBounds BoundsOfSum(std::size_t outputs) {
  return {.fan_in = 1,
          .outputs = outputs,
          .operator_norm = Upper(1.0),
          .absolute_norm = Upper(1.0),
          .bias_norm = Upper(),
          .largest_row_norm = Upper(1.0),
          .largest_row_norm1 = Upper(2.0),
          .largest_bias = Upper()};
}

// README.md, Lemma 11. Of zeros the layer makes the number that is nearest to 0.
LayerBounds BoundsOfClip(const ClipLayer& clip, std::size_t outputs) {
  const Upper of_zero(std::fabs(
      std::fmin(std::fmax(0.0, static_cast<double>(clip.low)), static_cast<double>(clip.high))));
  return {.fan_in = 0,
          .outputs = outputs,
          .operator_norm = Upper(1.0),
          .absolute_norm = Upper(1.0),
          .bias_norm = Root(outputs) * of_zero,
          .largest_row_norm = Upper(1.0),
          .largest_row_norm1 = Upper(1.0),
          .largest_bias = of_zero,
          .is_exact = true};
}

// README.md, Lemma 11.
LayerBounds BoundsOfMaxPool(const MaxPoolLayer& pool, const SampleShape& input,
                            std::size_t outputs) {
  const WindowReads vertical(pool.vertical, PaddingMode::kZero, input.height);
  const WindowReads horizontal(pool.horizontal, PaddingMode::kZero, input.width);
  const Upper norm = Root(vertical.most_reads() * horizontal.most_reads());
  return {.fan_in = 0,
          .outputs = outputs,
          .operator_norm = norm,
          .absolute_norm = norm,
          .bias_norm = Upper(),
          .largest_row_norm = Upper(1.0),
          .largest_row_norm1 = Upper(1.0),
          .largest_bias = Upper(),
          .is_exact = true};
}

// Products of one output of T^T.
std::size_t FanOut(const DenseLayer& dense) { return dense.outputs; }
std::size_t FanOut(const ConvolutionLayer& layer) {
  return layer.output_channels / layer.groups * layer.vertical.size * layer.horizontal.size;
}

// README.md, Lemma 9. T^T has the norms of T.
LayerBounds BoundsOfConvexPotential(const ConvexPotentialLayer& layer, std::size_t outputs,
                                    const StopCheck& stop) {
  const auto inner_bounds = Overloaded{
      [&](const DenseLayer& dense) { return BoundsOfDense(dense, stop); },
      [&](const ConvolutionLayer& convolution) { return BoundsOfConvolution(convolution, stop); }};
  const LayerBounds inner = std::visit(inner_bounds, layer.inner);
  const std::size_t fan_out =
      std::visit([](const auto& linear) { return FanOut(linear); }, layer.inner);
  const auto n = static_cast<double>(inner.fan_in);
  const auto m = static_cast<double>(fan_out);
  const Upper norm = inner.absolute_norm;
  const Upper absolute = Upper(1.0) + norm * norm;
  const Upper hidden_per_output =
      DivideUp(Root(inner.outputs), std::sqrt(static_cast<double>(outputs)) * (1.0 - 0x1p-50));
  return {.fan_in = inner.fan_in + fan_out + 2,
          .outputs = outputs,
          .operator_norm = ReflectionNorm(inner.operator_norm * inner.operator_norm),
          .absolute_norm = absolute,
          .bias_norm = Max(Upper(1.0), norm) * inner.bias_norm,
          .largest_row_norm = absolute,
          // Underflow in T x + b, as T^T propagates it, and underflow after it. 2 m + 5 is implied:
          // Certifier adds 2 fan_in + 2, which is 2 n + 2 m + 6.
          .largest_row_norm1 =
              norm * hidden_per_output * (Upper(2.0 * n + 2.0) + inner.largest_row_norm1) +
              Upper(2.0 * m + 5.0) + Root(fan_out) * norm,
          .largest_bias = Max(Upper(1.0), norm) * inner.bias_norm};
}

ConstMatrixView WeightsOf(const DenseLayer& dense) {
  return {dense.weights.data(), dense.outputs, dense.inputs};
}

absl::Status AddClaimToError(const absl::Status& proof, double claim) {
  if (proof.ok() || absl::IsCancelled(proof)) return proof;
  return absl::InvalidArgumentError(absl::StrFormat(
      "the file claims an operator norm of at most %.17g, but the proof of it fails: %s; freeze "
      "the model again",
      claim, proof.message()));
}

absl::Status ClaimNorm(DenseLayer& dense) {
  LIPSERVE_ASSIGN_OR_RETURN(dense.claimed_operator_norm_bound, BoundOperatorNorm(WeightsOf(dense)));
  return absl::OkStatus();
}

absl::Status ClaimNorm(ConvolutionLayer& convolution) {
  LIPSERVE_ASSIGN_OR_RETURN(convolution.claimed_operator_norm_bound,
                            BoundConvolutionNorm(convolution));
  return absl::OkStatus();
}

absl::Status CheckNorm(const DenseLayer& dense, const ProofLimits& limits) {
  const double claim = dense.claimed_operator_norm_bound;
  return AddClaimToError(ProveOperatorNormAtMost(WeightsOf(dense), claim, limits), claim);
}

absl::Status CheckNorm(const ConvolutionLayer& convolution, const ProofLimits& limits) {
  const double claim = convolution.claimed_operator_norm_bound;
  return AddClaimToError(ProveConvolutionNormAtMost(convolution, claim, limits), claim);
}

}  // namespace

LayerBounds BoundsOf(const FrozenLayer& layer, const SampleShape& input, const StopCheck& stop) {
  assert(!OnlyMovesNumbers(layer));
  const std::size_t outputs = OutputShape(layer, input).size();
  return std::visit(
      Overloaded{
          [&](const DenseLayer& dense) { return BoundsOfDense(dense, stop); },
          [&](const ConvolutionLayer& convolution) {
            return BoundsOfConvolution(convolution, stop);
          },
          [&](const AveragePoolLayer& pool) { return BoundsOfAveragePool(pool, outputs); },
          [&](const L2NormPoolLayer& pool) { return BoundsOfL2NormPool(pool, outputs); },
          [&](const PReluLayer& prelu) { return BoundsOfPRelu(prelu, outputs); },
          [&](const HouseholderLayer& householder) {
            return BoundsOfHouseholder(householder, outputs);
          },
          [&](const ConvexPotentialLayer& potential) {
            return BoundsOfConvexPotential(potential, outputs, stop);
          },
          [&](const SumLayer&) { return BoundsOfSum(outputs); },
          [&](const ClipLayer& clip) { return BoundsOfClip(clip, outputs); },
          [&](const MaxPoolLayer& pool) { return BoundsOfMaxPool(pool, input, outputs); },
          [](const PermutationLayer&) { return LayerBounds(); },
          [](const FlattenLayer&) { return LayerBounds(); },
          [](const GroupSortLayer&) { return LayerBounds(); },
          [](const AbsLayer&) { return LayerBounds(); },
          [](const UpSamplingLayer&) { return LayerBounds(); },
          [](const MaxMinLayer&) { return LayerBounds(); },
          [](const ConcatenatedReluLayer&) { return LayerBounds(); },
      },
      layer);
}

absl::Status ClaimOperatorNorm(FrozenLayer& layer) {
  return std::visit(Overloaded{
                        [](DenseLayer& dense) { return ClaimNorm(dense); },
                        [](ConvolutionLayer& convolution) { return ClaimNorm(convolution); },
                        [](ConvexPotentialLayer& potential) {
                          return std::visit([](auto& inner) { return ClaimNorm(inner); },
                                            potential.inner);
                        },
                        [](auto&) { return absl::OkStatus(); },
                    },
                    layer);
}

absl::Status CheckClaim(const FrozenLayer& layer, const StopCheck& stop) {
  ProofLimits limits;
  limits.stop = stop;
  return std::visit(
      Overloaded{
          [&](const DenseLayer& dense) { return CheckNorm(dense, limits); },
          [&](const ConvolutionLayer& convolution) { return CheckNorm(convolution, limits); },
          [&](const ConvexPotentialLayer& potential) {
            return std::visit([&](const auto& inner) { return CheckNorm(inner, limits); },
                              potential.inner);
          },
          // No claim: the norm follows from a formula.
          [](const AveragePoolLayer&) { return absl::OkStatus(); },
          [](const L2NormPoolLayer&) { return absl::OkStatus(); },
          [](const FlattenLayer&) { return absl::OkStatus(); },
          [](const GroupSortLayer&) { return absl::OkStatus(); },
          [](const AbsLayer&) { return absl::OkStatus(); },
          [](const UpSamplingLayer&) { return absl::OkStatus(); },
          [](const MaxMinLayer&) { return absl::OkStatus(); },
          [](const ConcatenatedReluLayer&) { return absl::OkStatus(); },
          [](const PReluLayer&) { return absl::OkStatus(); },
          [](const HouseholderLayer&) { return absl::OkStatus(); },
          [](const PermutationLayer&) { return absl::OkStatus(); },
          [](const SumLayer&) { return absl::OkStatus(); },
          [](const ClipLayer&) { return absl::OkStatus(); },
          [](const MaxPoolLayer&) { return absl::OkStatus(); },
      },
      layer);
}

}  // namespace lipserve
