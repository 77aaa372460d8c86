// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/row_pairs.h"

#include <cmath>
#include <limits>
#include <span>
#include <variant>

#include "absl/container/inlined_vector.h"
#include "model/arithmetic/vector_norm.h"
#include "model/foundation/paced_stop_check.h"

namespace lipserve {
namespace {

// The numbers of one row that fit on the stack.
using RowBuffer = absl::InlinedVector<double, 1024>;

std::span<const float> Row(const DenseLayer& layer, std::size_t i) {
  return std::span(layer.weights).subspan(i * layer.inputs, layer.inputs);
}

Upper Bias(const DenseLayer& layer, std::size_t i) {
  if (i >= layer.outputs || layer.bias.empty()) return Upper();
  return Upper(std::fabs(static_cast<double>(layer.bias[i])));
}

PairBounds BoundsOfPair(const DenseLayer& layer, std::size_t i, std::size_t j) {
  const auto number = [&layer](std::size_t row, std::size_t k) {
    return row < layer.outputs ? static_cast<double>(layer.weights[row * layer.inputs + k]) : 0.0;
  };
  RowBuffer difference(layer.inputs);
  RowBuffer absolute(layer.inputs);
  for (std::size_t k = 0; k < layer.inputs; ++k) {
    difference[k] = number(i, k) - number(j, k);
    absolute[k] = std::fabs(number(i, k)) + std::fabs(number(j, k));
  }
  // Each entry above carries one rounding.
  const Upper one_rounding(1.0 + 0x1p-52);
  return {.difference_norm = NormBound(std::span<const double>(difference)) * one_rounding,
          .absolute_norm = NormBound(std::span<const double>(absolute)) * one_rounding,
          .bias = Bias(layer, i) + Bias(layer, j)};
}

}  // namespace

RowPairs::RowPairs(const FrozenNetwork& network, const StopCheck& stop)
    : num_rows_(NumRows(network) == 1 ? 2 : NumRows(network)),
      rows_per_class_(network.prototypes_per_class) {
  const auto& last = std::get<DenseLayer>(network.layers.back());
  if (!AreTabulated()) {
    rows_ = last;
    for (std::size_t i = 0; i < num_rows_; ++i) norms_.push_back(NormBound(Row(last, i)));
    return;
  }
  const Upper unknown(std::numeric_limits<double>::infinity());
  table_.assign(num_rows_ * num_rows_, {unknown, unknown, unknown});
  PacedStopCheck stopped(stop);
  for (std::size_t i = 0; i < num_rows_; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      if (stopped(last.inputs)) return;
      table_[i * num_rows_ + j] = BoundsOfPair(last, i, j);
      table_[j * num_rows_ + i] = table_[i * num_rows_ + j];  // the same in every bit
    }
  }
}

PairBounds RowPairs::Bounds(std::size_t i, std::size_t j) const {
  return AreTabulated() ? table_[i * num_rows_ + j] : BoundsOfPair(rows_, i, j);
}

PairBounds RowPairs::QuickBounds(std::size_t i, std::size_t j) const {
  if (AreTabulated()) return table_[i * num_rows_ + j];
  const Upper sum = norms_[i] + norms_[j];
  return {.difference_norm = sum, .absolute_norm = sum, .bias = Bias(rows_, i) + Bias(rows_, j)};
}

}  // namespace lipserve
