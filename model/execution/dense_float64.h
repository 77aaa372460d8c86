// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: these products decide classes and margins.
//
// y = x W^T + b with float32 weights and float64 arithmetic: our own kernel, because oneDNN has
// none. Each output is one chain of multiply-adds in the order of the inputs, whatever the batch
// size, the position in the batch and the number of threads, so a sample's result never depends on
// its company. The AVX2 and AVX-512 versions fuse and agree to the bit; the portable version
// rounds products too.
//
// Guarantee: |y - exact| <= gamma_{n+1} (sum_k |w_k x_k| + |b|) + underflow, n = inputs
//            (certificate/README.md, Lemma 1).
#ifndef MODEL_EXECUTION_DENSE_FLOAT64_H_
#define MODEL_EXECUTION_DENSE_FLOAT64_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace lipserve {

// Weights of one dense layer, packed for the kernel: [ceil(outputs / 32)][inputs][32].
//
// Threads: immutable; concurrent calls are safe if their y do not overlap.
class DenseFloat64 {
 public:
  static constexpr std::size_t kBlock = 32;

  // weights: [outputs, inputs], row-major; bias: [outputs] or empty.
  DenseFloat64(std::span<const float> weights, std::span<const float> bias, std::size_t inputs,
               std::size_t outputs);

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }

  // Shapes: x: [rows, inputs], y: [rows, outputs], row-major, no overlap.
  void Run(const double* x, std::size_t rows, double* y) const;

 private:
  std::size_t inputs_;
  std::size_t outputs_;
  std::vector<float> packed_;
  std::vector<double> bias_;  // padded to whole blocks with zeros
};

// Which version of the kernel this machine runs: "avx512f", "avx2+fma" or "portable".
std::string DenseFloat64Version();

}  // namespace lipserve

#endif  // MODEL_EXECUTION_DENSE_FLOAT64_H_
