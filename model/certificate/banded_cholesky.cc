// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/banded_cholesky.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/certificate/symmetric_panel.h"
#include "model/foundation/paced_stop_check.h"

namespace lipserve {
namespace {

// Rows that are eliminated together, so that the trailing matrix is read once for all of them.
constexpr std::size_t kPanelRows = SymmetricPanel::kUsualDepth;

// Factorises the leading square of the panel into R, [depth, depth] row-major.
bool FactoriseSquare(SymmetricPanel& panel, std::span<double> r) {
  const std::size_t depth = panel.depth();
  for (std::size_t t = 0; t < depth; ++t) {
    for (std::size_t j = t; j < depth; ++j) r[t * depth + j] = panel.at(t, j);
  }
  for (std::size_t t = 0; t < depth; ++t) {
    double* const done = r.data() + t * depth;
    const double pivot = done[t];
    // A pivot of 0 would be sound as well, but makes what it divides NaN.
    if (!(pivot > 0.0) || pivot > std::numeric_limits<double>::max()) return false;
    const double root = std::sqrt(pivot);
    done[t] = root;
    for (std::size_t j = t + 1; j < depth; ++j) done[j] /= root;
    for (std::size_t s = t + 1; s < depth; ++s) {
      double* const row = r.data() + s * depth;
      for (std::size_t j = s; j < depth; ++j) row[j] -= done[s] * done[j];
    }
  }
  for (std::size_t t = 0; t < depth; ++t) {
    panel.SetRow(t, t, r.subspan(t * depth + t, depth - t));
  }
  return true;
}

}  // namespace

bool FactoriseCholesky(SymmetricBand& b, const StopCheck& stop) {
  const std::size_t n = b.order();
  const std::size_t band = b.half_bandwidth();
  SymmetricPanel panel(std::min(kPanelRows, n), std::min(n, kPanelRows + band));
  std::vector<double> square(kPanelRows * kPanelRows);
  PacedStopCheck stopped(stop);
  for (std::size_t k = 0; k < n; k += kPanelRows) {
    const std::size_t depth = std::min(kPanelRows, n - k);
    if (stopped(depth * panel.width())) return false;
    panel.Reset(depth, std::min(n - k, depth + band));
    const auto stored = [&](std::size_t t) {
      return b.row(k + t).first(std::min(band + 1, n - k - t));
    };
    for (std::size_t t = 0; t < depth; ++t) panel.SetRow(t, t, stored(t));
    const std::span<double> r(square.data(), depth * depth);
    if (!FactoriseSquare(panel, r)) return false;
    if (panel.width() > depth) {
      panel.SolveTransposed(r, depth / SymmetricPanel::kTile);
      panel.SubtractSquare(depth, &b.at(k + depth, k + depth), b.stride());
    }
    for (std::size_t t = 0; t < depth; ++t) panel.CopyRow(t, t, stored(t));
  }
  return true;
}

}  // namespace lipserve
