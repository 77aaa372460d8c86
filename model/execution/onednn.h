// SPDX-License-Identifier: Apache-2.0
// The interface to oneDNN. Only onednn*.cc include dnnl.hpp, so that a change of its API (Debian 12
// ships 2.6; 3.x differs) changes these files alone. Layers are in onednn_forward.h and
// onednn_training.h.
#ifndef MODEL_EXECUTION_ONEDNN_H_
#define MODEL_EXECUTION_ONEDNN_H_

#include <cstddef>
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
