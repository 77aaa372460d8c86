// SPDX-License-Identifier: Apache-2.0
#include "model/execution/chained_products.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <utility>

#include "model/execution/onednn.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lipserve {
namespace {

// Outputs of a block: four vectors of AVX-512, whose sums for four rows fill half its registers.
constexpr std::size_t kBlock = 32;
constexpr std::size_t kVector = 8;  // what blocks are padded to
constexpr std::size_t kMaxRows = 8;

// One block of outputs for some rows: y[r][0..width) = bias + sum_k x[r][k] * weights[k][0..width).
struct Tile {
  const double* const* rows;
  std::span<const std::size_t> segment_starts;
  std::size_t segment_length;
  std::size_t width;
  std::size_t weight_stride;  // from the weights of a term to those of the next, at most the width
  const float* weights;       // [terms, weight_stride], and as many more as the width
  const double* bias;         // [width]
  double* y;
  std::size_t y_stride;
};

using TileFunction = void (*)(const Tile&);

void RunTilePortable(const Tile& tile) {
  const float* w = tile.weights;
  std::copy(tile.bias, tile.bias + tile.width, tile.y);
  for (const std::size_t start : tile.segment_starts) {
    const double* x = tile.rows[0] + start;
    for (std::size_t k = 0; k < tile.segment_length; ++k, w += tile.weight_stride) {
      for (std::size_t o = 0; o < tile.width; ++o) tile.y[o] += x[k] * static_cast<double>(w[o]);
    }
  }
}

#if defined(__x86_64__)

// A block of `Vectors` * 8 outputs.
template <std::size_t Rows, std::size_t Vectors>
__attribute__((target("avx512f"))) void RunTileAvx512(const Tile& tile) {
  __m512d sum[Rows][Vectors];
  for (std::size_t v = 0; v < Vectors; ++v) {
    const __m512d bias = _mm512_loadu_pd(tile.bias + v * 8);
    for (std::size_t r = 0; r < Rows; ++r) sum[r][v] = bias;
  }
  const float* weights = tile.weights;
  for (const std::size_t start : tile.segment_starts) {
    const double* x[Rows];
    for (std::size_t r = 0; r < Rows; ++r) x[r] = tile.rows[r] + start;
    for (std::size_t k = 0; k < tile.segment_length; ++k, weights += tile.weight_stride) {
      __m512d w[Vectors];
      for (std::size_t v = 0; v < Vectors; ++v) {
        // The masked form, all lanes on: GCC 12 warns falsely about the plain one (its bug 105593).
        w[v] = _mm512_maskz_cvtps_pd(0xFF, _mm256_loadu_ps(weights + v * 8));
      }
      for (std::size_t r = 0; r < Rows; ++r) {
        const __m512d factor = _mm512_set1_pd(x[r][k]);
        for (std::size_t v = 0; v < Vectors; ++v) {
          sum[r][v] = _mm512_fmadd_pd(factor, w[v], sum[r][v]);
        }
      }
    }
  }
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t v = 0; v < Vectors; ++v) {
      _mm512_storeu_pd(tile.y + r * tile.y_stride + v * 8, sum[r][v]);
    }
  }
}

// `Vectors` * 4 outputs of the block, from output `begin` on.
template <std::size_t Rows, std::size_t Vectors>
__attribute__((target("avx2,fma"))) void RunPartAvx2(const Tile& tile, std::size_t begin) {
  __m256d sum[Rows][Vectors];
  for (std::size_t v = 0; v < Vectors; ++v) {
    const __m256d bias = _mm256_loadu_pd(tile.bias + begin + v * 4);
    for (std::size_t r = 0; r < Rows; ++r) sum[r][v] = bias;
  }
  const float* weights = tile.weights + begin;
  for (const std::size_t start : tile.segment_starts) {
    const double* x[Rows];
    for (std::size_t r = 0; r < Rows; ++r) x[r] = tile.rows[r] + start;
    for (std::size_t k = 0; k < tile.segment_length; ++k, weights += tile.weight_stride) {
      __m256d w[Vectors];
      for (std::size_t v = 0; v < Vectors; ++v) {
        w[v] = _mm256_cvtps_pd(_mm_loadu_ps(weights + v * 4));
      }
      for (std::size_t r = 0; r < Rows; ++r) {
        const __m256d factor = _mm256_set1_pd(x[r][k]);
        for (std::size_t v = 0; v < Vectors; ++v) {
          sum[r][v] = _mm256_fmadd_pd(factor, w[v], sum[r][v]);
        }
      }
    }
  }
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t v = 0; v < Vectors; ++v) {
      _mm256_storeu_pd(tile.y + r * tile.y_stride + begin + v * 4, sum[r][v]);
    }
  }
}

// With sixteen registers: as many outputs at a time as keep the sums in registers.
template <std::size_t Rows>
void RunTileAvx2(const Tile& tile) {
  constexpr std::size_t kMany = Rows == 1 ? 8 : (Rows == 2 ? 4 : 2);
  std::size_t begin = 0;
  for (; begin + kMany * 4 <= tile.width; begin += kMany * 4) RunPartAvx2<Rows, kMany>(tile, begin);
  for (; begin < tile.width; begin += kVector) RunPartAvx2<Rows, 2>(tile, begin);
}

#endif

// The versions of the kernel for 1, 2, 4 and 8 rows and for blocks of 1 to 4 vectors; none where
// the sums would not fit into the registers.
struct Kernel {
  using ByVectors = std::array<TileFunction, kBlock / kVector>;

  const char* name = "";
  std::array<ByVectors, 4> tiles{};  // [log2 of the rows][vectors - 1]
};

#if defined(__x86_64__)

template <std::size_t Rows>
constexpr Kernel::ByVectors Avx512Tiles() {
  constexpr bool kFits = Rows * (kBlock / kVector) < 32;
  return {RunTileAvx512<Rows, 1>, RunTileAvx512<Rows, 2>, RunTileAvx512<Rows, 3>,
          kFits ? RunTileAvx512 < kFits ? Rows : 1, 4 > : nullptr};
}

#endif

Kernel::ByVectors AnyWidth(TileFunction function) {
  return {function, function, function, function};
}

// The instruction set that oneDNN uses, so that its environment variable ONEDNN_MAX_CPU_ISA limits
// both.
Kernel ChooseKernel() {
#if defined(__x86_64__)
  const std::string instruction_set = onednn::InstructionSet();
  if (instruction_set.starts_with("avx512")) {
    return {"avx512f", {Avx512Tiles<1>(), Avx512Tiles<2>(), Avx512Tiles<4>(), Avx512Tiles<8>()}};
  }
  if (instruction_set.starts_with("avx2") && __builtin_cpu_supports("fma")) {
    return {"avx2+fma",
            {AnyWidth(RunTileAvx2<1>), AnyWidth(RunTileAvx2<2>), AnyWidth(RunTileAvx2<4>), {}}};
  }
#endif
  return {"portable", {AnyWidth(RunTilePortable), {}, {}, {}}};
}

const Kernel& TheKernel() {
  static const Kernel kernel = ChooseKernel();
  return kernel;
}

}  // namespace

ChainedProducts::ChainedProducts(std::span<const float> weights, std::span<const float> bias,
                                 std::size_t outputs, std::vector<std::size_t> segment_starts)
    : terms_(weights.size() / outputs),
      outputs_(outputs),
      segment_starts_(std::move(segment_starts)) {
  assert(weights.size() == terms_ * outputs && terms_ % segment_starts_.size() == 0);
  assert(bias.empty() || bias.size() == outputs);
  for (std::size_t first = 0; first < outputs; first += kBlock) {
    const std::size_t count = std::min(kBlock, outputs - first);
    const std::size_t width = (count + kVector - 1) / kVector * kVector;
    // Where padding would take the most memory, the kernel reads the weights of the next terms in
    // its place, and their sums are dropped.
    const std::size_t stride = count < kVector ? count : width;
    Block block{.first = first,
                .outputs = count,
                .width = width,
                .weight_stride = stride,
                .weights = std::vector<float>(terms_ * stride + width),
                .bias = std::vector<double>(width)};
    for (std::size_t o = 0; o < count; ++o) {
      const float* row = weights.data() + (first + o) * terms_;
      for (std::size_t k = 0; k < terms_; ++k) block.weights[k * stride + o] = row[k];
      if (!bias.empty()) block.bias[o] = static_cast<double>(bias[first + o]);
    }
    blocks_.push_back(std::move(block));
  }
}

void ChainedProducts::Run(std::span<const double* const> rows, double* y,
                          std::size_t y_stride) const {
  std::array<double, kMaxRows * kBlock> sums;  // of a block that has padding
  for (const Block& block : blocks_) {
    const bool direct = block.outputs == block.width;
    Tile tile{.rows = rows.data(),
              .segment_starts = segment_starts_,
              .segment_length = terms_ / segment_starts_.size(),
              .width = block.width,
              .weight_stride = block.weight_stride,
              .weights = block.weights.data(),
              .bias = block.bias.data(),
              .y = sums.data(),
              .y_stride = direct ? y_stride : block.width};
    for (std::size_t row = 0; row < rows.size();) {
      std::size_t choice = std::bit_width(std::min(rows.size() - row, kMaxRows)) - 1U;
      const auto function = [&] { return TheKernel().tiles[choice][block.width / kVector - 1]; };
      while (function() == nullptr) --choice;
      const std::size_t step = std::size_t{1} << choice;
      double* target = y + row * y_stride + block.first;
      tile.rows = rows.data() + row;
      if (direct) tile.y = target;
      function()(tile);
      for (std::size_t r = 0; r < step && !direct; ++r) {
        std::copy_n(sums.data() + r * block.width, block.outputs, target + r * y_stride);
      }
      row += step;
    }
  }
}

std::string ChainedProductsVersion() { return TheKernel().name; }

}  // namespace lipserve
