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
  dnnl::inner_product_forward::primitive_desc desc;
  dnnl::inner_product_forward primitive;
  dnnl::memory weights_memory;
  dnnl::memory bias_memory;
};

std::shared_ptr<DenseForward::Weights> DenseForward::PackWeights(std::span<const float> weights,
                                                                 std::span<const float> bias,
                                                                 std::size_t inputs,
                                                                 std::size_t outputs) {
  assert(weights.size() == inputs * outputs);
  assert(bias.empty() || bias.size() == outputs);
  return std::make_shared<Weights>(weights, bias, Desc({Dim(outputs), Dim(inputs)}, kF32, Tag::ab));
}

DenseForward::DenseForward(std::shared_ptr<Weights> shared_weights, std::size_t batch_size)
    : impl_(std::make_unique<Impl>()) {
  Weights& weights = *shared_weights;
  const Desc x({Dim(batch_size), weights.inputs()}, kF32, Tag::ab);
  const Desc w(weights.plain().dims(), kF32, Tag::any);
  const Desc b({weights.outputs()}, kF32, Tag::a);
  const Desc y({Dim(batch_size), weights.outputs()}, kF32, Tag::ab);
  using Inner = dnnl::inner_product_forward;
  const auto kind = dnnl::prop_kind::forward_inference;
  const Inner::desc desc =
      weights.has_bias() ? Inner::desc(kind, x, w, b, y) : Inner::desc(kind, x, w, y);
  impl_->desc = Inner::primitive_desc(desc, StrictAttributes(), CpuEngine());
  impl_->primitive = Inner(impl_->desc);
  impl_->weights_memory = weights.In(impl_->desc.weights_desc());
  impl_->bias_memory = weights.Bias();
  impl_->weights = std::move(shared_weights);
}

DenseForward::~DenseForward() = default;
DenseForward::DenseForward(DenseForward&&) noexcept = default;

std::size_t DenseForward::scratch_bytes() const { return impl_->desc.scratchpad_desc().get_size(); }

std::string DenseForward::implementation() const { return impl_->desc.impl_info_str(); }

void DenseForward::Execute(const float* x, float* y, std::byte* scratch) const {
  const Impl& impl = *impl_;
  // oneDNN's memory wants a writable pointer even for what it only reads.
  const dnnl::memory source(impl.desc.src_desc(), CpuEngine(), const_cast<float*>(x));
  const dnnl::memory target(impl.desc.dst_desc(), CpuEngine(), y);
  const dnnl::memory scratchpad(impl.desc.scratchpad_desc(), CpuEngine(), scratch);
  onednn::Execute(impl.primitive, source, impl.weights_memory, impl.bias_memory, target,
                  scratchpad);
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
