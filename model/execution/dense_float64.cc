// SPDX-License-Identifier: Apache-2.0
#include "model/execution/dense_float64.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace lipserve {
namespace {

// Rows that share one pass over the weights.
constexpr std::size_t kRowsAtOnce = 64;

}  // namespace

DenseFloat64::DenseFloat64(std::span<const float> weights, std::span<const float> bias,
                           std::size_t inputs, std::size_t outputs)
    : products_(weights, bias, outputs, {0}) {
  assert(products_.terms() == inputs);
  static_cast<void>(inputs);
}

void DenseFloat64::Run(const double* x, std::size_t rows, double* y) const {
  std::array<const double*, kRowsAtOnce> starts;
  for (std::size_t first = 0; first < rows; first += kRowsAtOnce) {
    const std::size_t count = std::min(kRowsAtOnce, rows - first);
    for (std::size_t r = 0; r < count; ++r) starts[r] = x + (first + r) * inputs();
    products_.Run({starts.data(), count}, y + first * outputs(), outputs());
  }
}

}  // namespace lipserve
