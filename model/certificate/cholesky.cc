// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/cholesky.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>

namespace lipserve {
namespace {

// Rows that are eliminated together, so that the trailing matrix is read once for all of them.
constexpr std::size_t kPanel = 4;

// A panel of finished rows of R: `rows[t] + j` is R(first + t, j).
struct Panel {
  std::array<const double*, kPanel> rows;
};

// y[j] -= sum_t panel(t, i) * panel(t, j) for j in [i, p).
//
// Multiversioned where the compiler can: the sums are the same to the bit, only wider.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
__attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))
#endif
void EliminatePanel(const Panel& panel, std::size_t i, std::size_t p, double* y) {
  const double a0 = panel.rows[0][i];
  const double a1 = panel.rows[1][i];
  const double a2 = panel.rows[2][i];
  const double a3 = panel.rows[3][i];
  const double* const r0 = panel.rows[0];
  const double* const r1 = panel.rows[1];
  const double* const r2 = panel.rows[2];
  const double* const r3 = panel.rows[3];
  for (std::size_t j = i; j < p; ++j) {
    y[j] = y[j] - a0 * r0[j] - a1 * r1[j] - a2 * r2[j] - a3 * r3[j];
  }
}

// Turns row k, from which all earlier rows are eliminated, into a row of R.
bool FinishRow(double* row, std::size_t k, std::size_t p) {
  const double pivot = row[k];
  if (!(pivot > 0.0) || pivot > std::numeric_limits<double>::max()) return false;
  const double root = std::sqrt(pivot);
  for (std::size_t j = k; j < p; ++j) row[j] /= root;
  row[k] = root;
  return true;
}

}  // namespace

bool FactoriseCholesky(std::span<double> b, std::size_t p) {
  assert(b.size() == p * p);
  for (std::size_t first = 0; first < p; first += kPanel) {
    const std::size_t end = std::min(first + kPanel, p);
    for (std::size_t k = first; k < end; ++k) {
      double* row = b.data() + k * p;
      for (std::size_t t = first; t < k; ++t) {
        const double* done = b.data() + t * p;
        const double factor = done[k];
        for (std::size_t j = k; j < p; ++j) row[j] -= factor * done[j];
      }
      if (!FinishRow(row, k, p)) return false;
    }
    if (end == p) break;
    Panel panel{};
    for (std::size_t t = 0; t < kPanel; ++t) panel.rows[t] = b.data() + (first + t) * p;
    for (std::size_t i = end; i < p; ++i) EliminatePanel(panel, i, p, b.data() + i * p);
  }
  return true;
}

}  // namespace lipserve
