// SPDX-License-Identifier: Apache-2.0
// The interface to oneDNN. Only onednn*.cc include dnnl.hpp, so that a change of its API (Debian 12
// ships 2.6; 3.x differs) changes these files alone. Convolutions are in onednn_convolution.h.
#ifndef MODEL_EXECUTION_ONEDNN_H_
#define MODEL_EXECUTION_ONEDNN_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "model/network/matrix_view.h"

namespace lipserve::onednn {

// Whether a matrix enters a product as it is or transposed.
enum class Op { kNone, kTranspose };

// C = alpha * op_a(A) * op_b(B) + beta * C in float32.
//
// Shapes:   op_a(A): [M, K], op_b(B): [K, N], C: [M, N]; C overlaps neither A nor B.
// Requires: beta == 0 means C is not read.
// Threads:  runs on the calling thread's OpenMP team; the result depends on the team's size.
void Gemm(Op op_a, Op op_b, float alpha, ConstMatrixView a, ConstMatrixView b, float beta,
          MatrixView c);

// A dense layer with frozen weights for one batch size: y = x W^T + b.
//
// Weights are reordered once to oneDNN's blocked layout; instances whose layout agrees share one
// copy (see `shared_weights`). Scratch memory is the caller's, so that any thread may execute.
class DenseForward {
 public:
  // The reordered weights of one layer, shared by its batch sizes.
  class Weights;

  // weights: [outputs, inputs], row-major; bias: [outputs] or empty. Both are copied.
  static std::shared_ptr<Weights> PackWeights(std::span<const float> weights,
                                              std::span<const float> bias, std::size_t inputs,
                                              std::size_t outputs);

  DenseForward(std::shared_ptr<Weights> shared_weights, std::size_t batch_size);
  ~DenseForward();
  DenseForward(DenseForward&&) noexcept;
  DenseForward& operator=(DenseForward&&) = delete;
  DenseForward(const DenseForward&) = delete;
  DenseForward& operator=(const DenseForward&) = delete;

  // Bytes of scratch memory that Execute needs; may be 0.
  std::size_t scratch_bytes() const;

  // Name of oneDNN's implementation, e.g. "brgemm:avx512_core".
  std::string implementation() const;

  // Shapes:  x: [batch_size, inputs], y: [batch_size, outputs], no overlap.
  // Threads: concurrent calls are safe if their y and scratch do not overlap. Uses the calling
  //          thread's OpenMP team, which must have the size it had at construction.
  void Execute(const float* x, float* y, std::byte* scratch) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Pins the setting that could change results silently: strict float32 (no down-conversion),
// whatever the environment variables say. Call once at program start, before anything else here.
void UseStrictFloat32();

// Makes the calling thread's OpenMP team `threads` wide. Call first thing in each thread that
// creates or executes primitives.
void SetThreadsOfThisThread(int threads);

// The instruction set that oneDNN dispatches to, e.g. "avx512_core_bf16".
std::string InstructionSet();

// Version of the library, e.g. "2.6.3".
std::string Version();

}  // namespace lipserve::onednn

#endif  // MODEL_EXECUTION_ONEDNN_H_
