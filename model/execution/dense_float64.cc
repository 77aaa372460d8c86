// SPDX-License-Identifier: Apache-2.0
#include "model/execution/dense_float64.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "model/execution/onednn.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lipserve {
namespace {

constexpr std::size_t kBlock = DenseFloat64::kBlock;

// One block of outputs for `Rows` samples: y[r][0..32) = bias + sum_k x[r][k] * w[k][0..32).
struct BlockArguments {
  const double* x;  // first sample; samples are `inputs` apart
  std::size_t inputs;
  const float* weights;  // [inputs][kBlock]
  const double* bias;    // [kBlock]
  double* y;             // [Rows][kBlock]
};

template <std::size_t Rows>
void RunBlockPortable(const BlockArguments& block) {
  for (std::size_t r = 0; r < Rows; ++r) {
    double* y = block.y + r * kBlock;
    std::copy(block.bias, block.bias + kBlock, y);
    for (std::size_t k = 0; k < block.inputs; ++k) {
      const double x = block.x[r * block.inputs + k];
      const float* w = block.weights + k * kBlock;
      for (std::size_t o = 0; o < kBlock; ++o) y[o] += x * static_cast<double>(w[o]);
    }
  }
}

#if defined(__x86_64__)

template <std::size_t Rows>
__attribute__((target("avx512f"))) void RunBlockAvx512(const BlockArguments& block) {
  constexpr std::size_t kVectors = kBlock / 8;
  __m512d sum[Rows][kVectors];
  for (std::size_t v = 0; v < kVectors; ++v) {
    const __m512d bias = _mm512_loadu_pd(block.bias + v * 8);
    for (std::size_t r = 0; r < Rows; ++r) sum[r][v] = bias;
  }
  for (std::size_t k = 0; k < block.inputs; ++k) {
    __m512d w[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      // The masked form, all lanes on: GCC 12 warns falsely about the plain one (its bug 105593).
      w[v] = _mm512_maskz_cvtps_pd(0xFF, _mm256_loadu_ps(block.weights + k * kBlock + v * 8));
    }
    for (std::size_t r = 0; r < Rows; ++r) {
      const __m512d x = _mm512_set1_pd(block.x[r * block.inputs + k]);
      for (std::size_t v = 0; v < kVectors; ++v) sum[r][v] = _mm512_fmadd_pd(x, w[v], sum[r][v]);
    }
  }
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      _mm512_storeu_pd(block.y + r * kBlock + v * 8, sum[r][v]);
    }
  }
}

// `Vectors` * 4 outputs of the block, from output `begin` on.
template <std::size_t Rows, std::size_t Vectors>
__attribute__((target("avx2,fma"))) void RunPartAvx2(const BlockArguments& block,
                                                     std::size_t begin) {
  __m256d sum[Rows][Vectors];
  for (std::size_t v = 0; v < Vectors; ++v) {
    const __m256d bias = _mm256_loadu_pd(block.bias + begin + v * 4);
    for (std::size_t r = 0; r < Rows; ++r) sum[r][v] = bias;
  }
  for (std::size_t k = 0; k < block.inputs; ++k) {
    __m256d w[Vectors];
    for (std::size_t v = 0; v < Vectors; ++v) {
      w[v] = _mm256_cvtps_pd(_mm_loadu_ps(block.weights + k * kBlock + begin + v * 4));
    }
    for (std::size_t r = 0; r < Rows; ++r) {
      const __m256d x = _mm256_set1_pd(block.x[r * block.inputs + k]);
      for (std::size_t v = 0; v < Vectors; ++v) sum[r][v] = _mm256_fmadd_pd(x, w[v], sum[r][v]);
    }
  }
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t v = 0; v < Vectors; ++v) {
      _mm256_storeu_pd(block.y + r * kBlock + begin + v * 4, sum[r][v]);
    }
  }
}

// Sixteen registers: as many outputs at a time as leave the sums in them.
template <std::size_t Rows>
void RunBlockAvx2(const BlockArguments& block) {
  constexpr std::size_t kVectors = Rows == 1 ? 8 : (Rows == 2 ? 4 : 2);
  for (std::size_t begin = 0; begin < kBlock; begin += kVectors * 4) {
    RunPartAvx2<Rows, kVectors>(block, begin);
  }
}

#endif

// The versions of the kernel for 1, 2 and 4 samples.
struct Kernel {
  using Function = void (*)(const BlockArguments&);
  const char* name;
  Function one;
  Function two;
  Function four;
};

// As wide as oneDNN goes, so that its environment variable ONEDNN_MAX_CPU_ISA caps both.
Kernel ChooseKernel() {
#if defined(__x86_64__)
  const std::string instruction_set = onednn::InstructionSet();
  if (instruction_set.starts_with("avx512")) {
    return {"avx512f", RunBlockAvx512<1>, RunBlockAvx512<2>, RunBlockAvx512<4>};
  }
  if (instruction_set.starts_with("avx2") && __builtin_cpu_supports("fma")) {
    return {"avx2+fma", RunBlockAvx2<1>, RunBlockAvx2<2>, RunBlockAvx2<4>};
  }
#endif
  return {"portable", RunBlockPortable<1>, RunBlockPortable<2>, RunBlockPortable<4>};
}

const Kernel& TheKernel() {
  static const Kernel kernel = ChooseKernel();
  return kernel;
}

}  // namespace

DenseFloat64::DenseFloat64(std::span<const float> weights, std::span<const float> bias,
                           std::size_t inputs, std::size_t outputs)
    : inputs_(inputs), outputs_(outputs) {
  assert(weights.size() == inputs * outputs);
  assert(bias.empty() || bias.size() == outputs);
  const std::size_t blocks = (outputs + kBlock - 1) / kBlock;
  packed_.assign(blocks * inputs * kBlock, 0.0F);
  bias_.assign(blocks * kBlock, 0.0);
  std::copy(bias.begin(), bias.end(), bias_.begin());
  for (std::size_t o = 0; o < outputs; ++o) {
    float* column = packed_.data() + (o / kBlock) * inputs * kBlock + o % kBlock;
    for (std::size_t k = 0; k < inputs; ++k) column[k * kBlock] = weights[o * inputs + k];
  }
}

void DenseFloat64::Run(const double* x, std::size_t rows, double* y) const {
  const Kernel& kernel = TheKernel();
  std::array<double, 4 * kBlock> sums{};
  for (std::size_t first = 0; first < outputs_; first += kBlock) {
    const std::size_t count = std::min(kBlock, outputs_ - first);
    BlockArguments block{.x = x,
                         .inputs = inputs_,
                         .weights = packed_.data() + first * inputs_,
                         .bias = bias_.data() + first,
                         .y = sums.data()};
    for (std::size_t row = 0; row < rows;) {
      const std::size_t step = rows - row >= 4 ? 4 : (rows - row >= 2 ? 2 : 1);
      block.x = x + row * inputs_;
      (step == 4 ? kernel.four : (step == 2 ? kernel.two : kernel.one))(block);
      for (std::size_t r = 0; r < step; ++r) {
        const double* from = sums.data() + r * kBlock;
        std::copy(from, from + count, y + (row + r) * outputs_ + first);
      }
      row += step;
    }
  }
}

std::string DenseFloat64Version() { return TheKernel().name; }

}  // namespace lipserve
