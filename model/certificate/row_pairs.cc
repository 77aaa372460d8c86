// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/row_pairs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
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
  // Each entry above carries one rounding. NormBound has room for it, so this factor is implied: of
  // its 2 (size + 8) u, a sum of squares and its root need (size / 2 + 4) u (vector_norm.cc).
  const Upper one_rounding(1.0 + 0x1p-52);
  return {.difference_norm = NormBound(std::span<const double>(difference)) * one_rounding,
          .absolute_norm = NormBound(std::span<const double>(absolute)) * one_rounding,
          .bias = Bias(layer, i) + Bias(layer, j)};
}

// The numbers of a row, its bias last. A row beyond the outputs is all zeros.
class NumbersOfRows {
 public:
  explicit NumbersOfRows(const DenseLayer& layer) : layer_(layer) {}

  bool IsLess(std::size_t i, std::size_t j) const {
    for (std::size_t k = 0; k <= layer_.inputs; ++k) {
      if (Number(i, k) != Number(j, k)) return Number(i, k) < Number(j, k);
    }
    return false;
  }

 private:
  float Number(std::size_t row, std::size_t k) const {
    if (row >= layer_.outputs) return 0.0F;
    if (k < layer_.inputs) return layer_.weights[row * layer_.inputs + k];
    return layer_.bias.empty() ? 0.0F : layer_.bias[row];
  }

  const DenseLayer& layer_;
};

// For each row the first one with the same numbers.
std::vector<std::size_t> FirstEqualRows(const DenseLayer& layer, std::size_t num_rows) {
  const NumbersOfRows numbers(layer);
  std::vector<std::size_t> order(num_rows);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return numbers.IsLess(i, j); });
  std::vector<std::size_t> first(num_rows);
  for (std::size_t n = 0; n < num_rows; ++n) {
    const bool is_new = n == 0 || numbers.IsLess(order[n - 1], order[n]);
    first[order[n]] = is_new ? order[n] : first[order[n - 1]];
  }
  return first;
}

}  // namespace

RowPairs::RowPairs(const FrozenNetwork& network, const StopCheck& stop)
    : num_rows_(NumRows(network) == 1 ? 2 : NumRows(network)),
      rows_per_class_(network.prototypes_per_class) {
  const auto& last = std::get<DenseLayer>(network.layers.back());
  first_equal_ = FirstEqualRows(last, num_rows_);
  is_shared_.resize(num_rows_);
  for (std::size_t i = 0; i < num_rows_; ++i) {
    const std::size_t first = first_equal_[i];
    if (ClassOf(i) != ClassOf(first)) is_shared_[first] = true;
  }
  // After the first of each is marked.
  for (std::size_t i = 0; i < num_rows_; ++i) is_shared_[i] = is_shared_[first_equal_[i]];
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
