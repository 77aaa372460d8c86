// SPDX-License-Identifier: Apache-2.0
#include "model/execution/onednn.h"

#include <omp.h>

#include <cassert>
#include <dnnl.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/execution/onednn_engine.h"

namespace lipserve::onednn {
namespace {

using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;

}  // namespace

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

class DenseForward::Weights : public ReorderedWeights {
 public:
  using ReorderedWeights::ReorderedWeights;

  dnnl::memory::dim outputs() const { return plain().dims()[0]; }
  dnnl::memory::dim inputs() const { return plain().dims()[1]; }
};

struct DenseForward::Impl {
  std::shared_ptr<Weights> weights;
  FrozenPrimitive primitive;
};

std::shared_ptr<DenseForward::Weights> DenseForward::PackWeights(std::span<const float> weights,
                                                                 std::span<const float> bias,
                                                                 std::size_t inputs,
                                                                 std::size_t outputs) {
  assert(weights.size() == inputs * outputs);
  assert(bias.empty() || bias.size() == outputs);
  return std::make_shared<Weights>(weights, bias, Desc({Dim(outputs), Dim(inputs)}, kF32, Tag::ab));
}

DenseForward::DenseForward(std::shared_ptr<Weights> shared_weights, std::size_t batch_size) {
  Weights& weights = *shared_weights;
  const Desc x({Dim(batch_size), weights.inputs()}, kF32, Tag::ab);
  const Desc w(weights.plain().dims(), kF32, Tag::any);
  const Desc b({weights.outputs()}, kF32, Tag::a);
  const Desc y({Dim(batch_size), weights.outputs()}, kF32, Tag::ab);
  using Inner = dnnl::inner_product_forward;
  const auto kind = dnnl::prop_kind::forward_inference;
  const Inner::desc desc =
      weights.has_bias() ? Inner::desc(kind, x, w, b, y) : Inner::desc(kind, x, w, y);
  FrozenPrimitive primitive(Inner::primitive_desc(desc, StrictAttributes(), CpuEngine()), weights);
  impl_.reset(new Impl{std::move(shared_weights), std::move(primitive)});
}

DenseForward::~DenseForward() = default;
DenseForward::DenseForward(DenseForward&&) noexcept = default;

std::size_t DenseForward::scratch_bytes() const { return impl_->primitive.scratch_bytes(); }

std::string DenseForward::implementation() const { return impl_->primitive.implementation(); }

void DenseForward::Execute(const float* x, float* y, std::byte* scratch) const {
  impl_->primitive.Execute(x, y, scratch);
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
