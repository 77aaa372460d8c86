// SPDX-License-Identifier: Apache-2.0
#include "model/execution/onednn.h"

#include <omp.h>

#include <cassert>
#include <dnnl.hpp>

#include "absl/strings/str_cat.h"
#include "model/execution/onednn_engine.h"

namespace lipserve::onednn {

void Gemm(Op op_a, Op op_b, float alpha, ConstMatrixView a, ConstMatrixView b, float beta,
          MatrixView c) {
  const std::size_t k = op_a == Op::kNone ? a.cols : a.rows;
  assert((op_a == Op::kNone ? a.rows : a.cols) == c.rows);
  assert((op_b == Op::kNone ? b.cols : b.rows) == c.cols);
  assert((op_b == Op::kNone ? b.rows : b.cols) == k);
  const dnnl::status status = dnnl::sgemm(
      op_a == Op::kNone ? 'N' : 'T', op_b == Op::kNone ? 'N' : 'T', Dim(c.rows), Dim(c.cols),
      Dim(k), alpha, a.data, Dim(a.cols), b.data, Dim(b.cols), beta, c.data, Dim(c.cols));
  assert(status == dnnl::status::success);
  static_cast<void>(status);
}

void UseStrictFloat32() { dnnl::set_default_fpmath_mode(dnnl::fpmath_mode::strict); }

void SetThreadsOfThisThread(int threads) { omp_set_num_threads(threads); }

std::string InstructionSet() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return "other";
  }
}

std::string Version() {
  const dnnl::version_t* version = dnnl::version();
  return absl::StrCat(version->major, ".", version->minor, ".", version->patch);
}

}  // namespace lipserve::onednn
