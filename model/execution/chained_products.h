// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: these products decide classes and margins.
//
// Sums of products of float64 numbers with float32 weights: the kernel of the float64 network's
// dense layers and convolutions. It is ours because oneDNN has no float64 kernel. A row r of
// numbers gives
//
//   y_r[o] = bias[o] + x_r[0] w_o[0] + x_r[1] w_o[1] + ...
//
// as one chain of multiply-adds in this order. Neither the other rows nor their number nor the
// number of threads changes it, so a sample's result does not depend on its batch. The AVX2 and
// AVX-512 versions use fused multiply-adds and agree to the bit; the portable version also rounds
// products.
//
// Guarantee: |y - exact| <= gamma_{n+1} (sum_k |w_k x_k| + |b|) + underflow, n = terms
//            (certificate/README.md, Lemma 1).
#ifndef MODEL_EXECUTION_CHAINED_PRODUCTS_H_
#define MODEL_EXECUTION_CHAINED_PRODUCTS_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace lipserve {

// The weights of one linear map, packed for the kernel.
//
// Threads: immutable; concurrent calls are safe if their y do not overlap.
class ChainedProducts {
 public:
  // A row need not be contiguous: its terms are equal segments, and segment s begins
  // `segment_starts[s]` numbers after the row's start. A window of an image is one segment per tap.
  //
  // Shapes: weights: [outputs, terms], row-major; bias: [outputs] or empty; the number of segments
  //         divides the terms.
  ChainedProducts(std::span<const float> weights, std::span<const float> bias, std::size_t outputs,
                  std::vector<std::size_t> segment_starts);

  std::size_t terms() const { return terms_; }
  std::size_t outputs() const { return outputs_; }

  // y[r * y_stride + o] for every row r and output o.
  //
  // Requires: y_stride >= outputs(); y overlaps no row.
  void Run(std::span<const double* const> rows, double* y, std::size_t y_stride) const;

 private:
  // Up to kBlock outputs that the kernel computes at once, in whole vectors.
  struct Block {
    std::size_t first;           // output
    std::size_t outputs;         // without the padding
    std::size_t width;           // with the padding: a multiple of 8
    std::size_t weight_stride;   // the width, or the outputs if they are fewer than a vector
    std::vector<float> weights;  // [terms, weight_stride], then [width] zeros
    std::vector<double> bias;    // [width]
  };

  std::size_t terms_;
  std::size_t outputs_;
  std::vector<std::size_t> segment_starts_;
  std::vector<Block> blocks_;
};

// Which version of the kernel this machine runs: "avx512f", "avx2+fma" or "portable".
std::string ChainedProductsVersion();

}  // namespace lipserve

#endif  // MODEL_EXECUTION_CHAINED_PRODUCTS_H_
