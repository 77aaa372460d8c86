// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/symmetric_panel.h"

#include <algorithm>
#include <array>
#include <string>

#include "model/execution/onednn.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lipserve {
namespace {

constexpr std::size_t kTile = SymmetricPanel::kTile;
// Rows of the result that are computed together.
constexpr std::size_t kRows = 8;

// out[r][v] = sum_t a[t][r] b[t][v], rows of a and b being kTile apart. In parts whose sums fit
// into registers.
void MultiplyPortable(const double* a, const double* b, std::size_t depth, double* out) {
  constexpr std::size_t kPart = 4;
  for (std::size_t r = 0; r < kRows; r += kPart) {
    for (std::size_t v = 0; v < kTile; v += kPart) {
      std::array<std::array<double, kPart>, kPart> sum{};
      for (std::size_t t = 0; t < depth; ++t) {
        for (std::size_t i = 0; i < kPart; ++i) {
          const double factor = a[t * kTile + r + i];
          for (std::size_t j = 0; j < kPart; ++j) sum[i][j] += factor * b[t * kTile + v + j];
        }
      }
      for (std::size_t i = 0; i < kPart; ++i) {
        std::copy(sum[i].begin(), sum[i].end(), out + (r + i) * kTile + v);
      }
    }
  }
}

// Substitution down the rows of one tile.
inline __attribute__((always_inline)) void SolveTile(const double* r, std::size_t depth,
                                                     double* tile) {
  for (std::size_t t = 0; t < depth; ++t) {
    double* const done = tile + t * kTile;
    const double pivot = r[t * depth + t];
    for (std::size_t v = 0; v < kTile; ++v) done[v] /= pivot;
    for (std::size_t s = t + 1; s < depth; ++s) {
      const double factor = r[t * depth + s];
      double* const row = tile + s * kTile;
      for (std::size_t v = 0; v < kTile; ++v) row[v] -= factor * done[v];
    }
  }
}

void SolvePortable(const double* r, std::size_t depth, double* tile) { SolveTile(r, depth, tile); }

#if defined(__x86_64__)

__attribute__((target("avx512f"))) void MultiplyAvx512(const double* a, const double* b,
                                                       std::size_t depth, double* out) {
  __m512d sum[kRows][2];
  for (std::size_t r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_pd();
  for (std::size_t t = 0; t < depth; ++t) {
    const __m512d b0 = _mm512_loadu_pd(b + t * kTile);
    const __m512d b1 = _mm512_loadu_pd(b + t * kTile + 8);
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m512d factor = _mm512_set1_pd(a[t * kTile + r]);
      sum[r][0] = _mm512_fmadd_pd(factor, b0, sum[r][0]);
      sum[r][1] = _mm512_fmadd_pd(factor, b1, sum[r][1]);
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    _mm512_storeu_pd(out + r * kTile, sum[r][0]);
    _mm512_storeu_pd(out + r * kTile + 8, sum[r][1]);
  }
}

__attribute__((target("avx512f"))) void SolveAvx512(const double* r, std::size_t depth,
                                                    double* tile) {
  SolveTile(r, depth, tile);
}

// A quarter of the result, 4 x 8, which fits into sixteen registers.
__attribute__((target("avx2,fma"))) void MultiplyQuarterAvx2(const double* a, const double* b,
                                                             std::size_t depth, double* out) {
  __m256d sum[4][2];
  for (std::size_t r = 0; r < 4; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_pd();
  for (std::size_t t = 0; t < depth; ++t) {
    const __m256d b0 = _mm256_loadu_pd(b + t * kTile);
    const __m256d b1 = _mm256_loadu_pd(b + t * kTile + 4);
    for (std::size_t r = 0; r < 4; ++r) {
      const __m256d factor = _mm256_set1_pd(a[t * kTile + r]);
      sum[r][0] = _mm256_fmadd_pd(factor, b0, sum[r][0]);
      sum[r][1] = _mm256_fmadd_pd(factor, b1, sum[r][1]);
    }
  }
  for (std::size_t r = 0; r < 4; ++r) {
    _mm256_storeu_pd(out + r * kTile, sum[r][0]);
    _mm256_storeu_pd(out + r * kTile + 4, sum[r][1]);
  }
}

void MultiplyAvx2(const double* a, const double* b, std::size_t depth, double* out) {
  for (std::size_t r = 0; r < kRows; r += 4) {
    for (std::size_t v = 0; v < kTile; v += 8) {
      MultiplyQuarterAvx2(a + r, b + v, depth, out + r * kTile + v);
    }
  }
}

__attribute__((target("avx2,fma"))) void SolveAvx2(const double* r, std::size_t depth,
                                                   double* tile) {
  SolveTile(r, depth, tile);
}

#endif

struct Kernel {
  void (*multiply)(const double* a, const double* b, std::size_t depth, double* out);
  void (*solve)(const double* r, std::size_t depth, double* tile);
};

// The instruction set that oneDNN uses, so that its environment variable ONEDNN_MAX_CPU_ISA limits
// both.
Kernel ChooseKernel() {
#if defined(__x86_64__)
  const std::string instruction_set = onednn::InstructionSet();
  if (instruction_set.starts_with("avx512")) return {MultiplyAvx512, SolveAvx512};
  if (instruction_set.starts_with("avx2") && __builtin_cpu_supports("fma")) {
    return {MultiplyAvx2, SolveAvx2};
  }
#endif
  return {MultiplyPortable, SolvePortable};
}

const Kernel& SelectedKernel() {
  static const Kernel kernel = ChooseKernel();
  return kernel;
}

// Subtracts a block of products, whose upper left corner is (i, j), from the upper triangle of
// order n that c is.
void SubtractBlock(const std::array<double, kRows * kTile>& products, std::size_t i, std::size_t j,
                   std::size_t n, double* c, std::size_t stride) {
  const std::size_t rows = std::min(kRows, n - i);
  const std::size_t columns = std::min(kTile, n - j);
  for (std::size_t r = 0; r < rows; ++r) {
    double* const row = c + (i + r) * stride + j;
    const double* const from = products.data() + r * kTile;
    const std::size_t begin = i + r > j ? i + r - j : 0;
    if (begin == 0 && columns == kTile) {
      for (std::size_t v = 0; v < kTile; ++v) row[v] -= from[v];
    } else {
      for (std::size_t v = begin; v < columns; ++v) row[v] -= from[v];
    }
  }
}

}  // namespace

SymmetricPanel::SymmetricPanel(std::size_t max_depth, std::size_t max_width)
    : numbers_((max_width + kTile - 1) / kTile * kTile * max_depth) {}

void SymmetricPanel::Reset(std::size_t depth, std::size_t width) {
  const std::size_t size = (width + kTile - 1) / kTile * kTile * depth;
  assert(size <= numbers_.size());
  depth_ = depth;
  width_ = width;
  std::fill_n(numbers_.begin(), size, 0.0);
}

void SymmetricPanel::SetRow(std::size_t t, std::size_t first, std::span<const double> from) {
  assert(t < depth_ && first + from.size() <= width_);
  for (std::size_t j = 0; j < from.size(); ++j) at(t, first + j) = from[j];
}

void SymmetricPanel::CopyRow(std::size_t t, std::size_t first, std::span<double> to) const {
  assert(t < depth_ && first + to.size() <= width_);
  for (std::size_t j = 0; j < to.size(); ++j) {
    to[j] = tile((first + j) / kTile)[t * kTile + (first + j) % kTile];
  }
}

void SymmetricPanel::SolveTransposed(std::span<const double> r, std::size_t first) {
  assert(r.size() == depth_ * depth_);
  const Kernel& kernel = SelectedKernel();
  for (std::size_t index = first; index * kTile < width_; ++index) {
    kernel.solve(r.data(), depth_, tile(index));
  }
}

void SymmetricPanel::SubtractSquare(std::size_t first, double* c, std::size_t stride) const {
  assert(first % kTile == 0);
  const Kernel& kernel = SelectedKernel();
  const std::size_t n = width_ - first;
  std::array<double, kRows * kTile> products;
  for (std::size_t i = 0; i < n; i += kRows) {
    const double* const a = tile((first + i) / kTile) + i % kTile;
    for (std::size_t j = i / kTile * kTile; j < n; j += kTile) {
      kernel.multiply(a, tile((first + j) / kTile), depth_, products.data());
      SubtractBlock(products, i, j, n, c, stride);
    }
  }
}

}  // namespace lipserve
