// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/network_bounds.h"

#include <cmath>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/certificate/operator_norm.h"
#include "model/certificate/vector_norm.h"
#include "model/status_macros.h"

namespace lipserve {
namespace {

// ||x||_2 of any finite float32 input: sqrt(2^22) * 2^128.
constexpr double kLargestInputNorm = 0x1p139;
constexpr double kLargestNumber = 0x1p250;

std::span<const float> Row(const DenseLayer& dense, std::size_t i) {
  return {dense.weights.data() + i * dense.inputs, dense.inputs};
}

LayerBounds BoundsOf(const DenseLayer& dense) {
  LayerBounds bounds;
  bounds.fan_in = dense.inputs;
  bounds.outputs = dense.outputs;
  bounds.operator_norm = Upper(dense.claimed_operator_norm_bound);
  Upper squares;
  for (std::size_t i = 0; i < dense.outputs; ++i) {
    const Upper norm = NormBound(Row(dense, i));
    squares = squares + norm * norm;
    bounds.largest_row_norm = Max(bounds.largest_row_norm, norm);
    bounds.largest_row_norm1 = Max(bounds.largest_row_norm1, Norm1Bound(Row(dense, i)));
  }
  bounds.absolute_norm = SqrtUp(squares);
  bounds.bias_norm = NormBound(std::span<const float>(dense.bias));
  for (const float b : dense.bias) {
    bounds.largest_bias = Max(bounds.largest_bias, Upper(std::fabs(static_cast<double>(b))));
  }
  return bounds;
}

// Row i of the last layer as doubles; the implicit row of a single-score network is zero.
std::vector<double> ScoreRow(const DenseLayer& last, std::size_t i) {
  if (i >= last.outputs) return std::vector<double>(last.inputs, 0.0);
  const auto row = Row(last, i);
  return {row.begin(), row.end()};
}

Upper ScoreBias(const DenseLayer& last, std::size_t i) {
  if (i >= last.outputs || last.bias.empty()) return Upper();
  return Upper(std::fabs(static_cast<double>(last.bias[i])));
}

PairBounds PairBoundsOf(const DenseLayer& last, std::size_t i, std::size_t j) {
  const std::vector<double> a = ScoreRow(last, i);
  const std::vector<double> b = ScoreRow(last, j);
  std::vector<double> difference(a.size());
  std::vector<double> absolute(a.size());
  for (std::size_t k = 0; k < a.size(); ++k) {
    difference[k] = a[k] - b[k];
    absolute[k] = std::fabs(a[k]) + std::fabs(b[k]);
  }
  // Each entry above carries one rounding.
  const Upper one_rounding(1.0 + 0x1p-52);
  return {.difference_norm = NormBound(std::span<const double>(difference)) * one_rounding,
          .absolute_norm = NormBound(std::span<const double>(absolute)) * one_rounding,
          .bias = ScoreBias(last, i) + ScoreBias(last, j)};
}

absl::Status CheckClaim(const DenseLayer& dense, std::size_t layer) {
  const ConstMatrixView w{dense.weights.data(), dense.outputs, dense.inputs};
  const absl::Status proof = ProveOperatorNormAtMost(w, dense.claimed_operator_norm_bound);
  if (proof.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "layer %d (%s): the file claims an operator norm of at most %.17g, but the proof of it "
      "fails: %s; freeze the model again",
      layer, DescribeLayer(dense), dense.claimed_operator_norm_bound, proof.message()));
}

}  // namespace

absl::StatusOr<NetworkBounds> NetworkBounds::Create(const FrozenNetwork& network) {
  const ScopedStrictFloatingPoint strict;
  NetworkBounds bounds;
  Upper largest_norm(kLargestInputNorm);
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const auto* dense = std::get_if<DenseLayer>(&network.layers[i]);
    if (dense == nullptr) continue;  // flatten and sorts are exact and 1-Lipschitz
    LIPSERVE_RETURN_IF_ERROR(CheckClaim(*dense, i));
    const LayerBounds layer = BoundsOf(*dense);
    largest_norm = layer.absolute_norm * largest_norm + layer.bias_norm;
    if (!(largest_norm.value() <= kLargestNumber)) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer ", i, " (", DescribeLayer(*dense), "): its numbers can reach ",
                       largest_norm.value(),
                       " for some float32 input, expected at most 2^250; the proof does "
                       "not cover such weights, scale them down"));
    }
    bounds.hidden_.push_back(layer);
  }
  bounds.last_ = bounds.hidden_.back();
  bounds.hidden_.pop_back();
  for (const LayerBounds& layer : bounds.hidden_) {
    bounds.hidden_lipschitz_ = bounds.hidden_lipschitz_ * layer.operator_norm;
  }
  const auto& last = std::get<DenseLayer>(network.layers.back());
  bounds.num_classes_ = NumClasses(network);
  for (std::size_t i = 0; i < bounds.num_classes_; ++i) {
    for (std::size_t j = 0; j < bounds.num_classes_; ++j) {
      bounds.pairs_.push_back(PairBoundsOf(last, i, j));
    }
  }
  return bounds;
}

}  // namespace lipserve
