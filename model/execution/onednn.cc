// SPDX-License-Identifier: Apache-2.0
#include "model/execution/onednn.h"

#include <omp.h>

#include <cassert>
#include <cstring>
#include <dnnl.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace lipserve::onednn {
namespace {

using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
constexpr auto kF32 = dnnl::memory::data_type::f32;

// oneDNN's CPU engine. Engines hold no mutable state, so one serves every thread.
const dnnl::engine& CpuEngine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// In-order CPU streams hold no state that execution changes; one per thread costs nothing and
// keeps ThreadSanitizer and us from having to trust that.
dnnl::stream& ThreadStream() {
  thread_local dnnl::stream stream(CpuEngine());
  return stream;
}

dnnl::memory::dim Dim(std::size_t size) { return static_cast<dnnl::memory::dim>(size); }

// Default attributes, pinned: strict float32, scratch memory from the caller (the library's own is
// thread-local to the creator and crashes in another thread).
dnnl::primitive_attr StrictAttributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
  return attributes;
}

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

// Plain weights, and one reordered copy for each blocked layout that a batch size asked for (on
// AVX-512 all batch sizes ask for the same).
class DenseForward::Weights {
 public:
  Weights(std::span<const float> weights, std::span<const float> bias, std::size_t inputs,
          std::size_t outputs)
      : inputs_(inputs),
        outputs_(outputs),
        plain_(weights.begin(), weights.end()),
        bias_(bias.begin(), bias.end()) {}

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }
  bool has_bias() const { return !bias_.empty(); }
  dnnl::memory Bias() { return {Desc({Dim(outputs_)}, kF32, Tag::a), CpuEngine(), bias_.data()}; }

  // The weights in layout `desc`; the memory lives as long as this object.
  dnnl::memory In(const Desc& desc) {
    for (const dnnl::memory& memory : reordered_) {
      if (memory.get_desc() == desc) return memory;
    }
    const Desc plain_desc({Dim(outputs_), Dim(inputs_)}, kF32, Tag::ab);
    dnnl::memory plain(plain_desc, CpuEngine(), plain_.data());
    dnnl::memory memory(desc, CpuEngine());
    dnnl::reorder(plain, memory).execute(ThreadStream(), plain, memory);
    ThreadStream().wait();
    reordered_.push_back(memory);
    return memory;
  }

 private:
  std::size_t inputs_;
  std::size_t outputs_;
  std::vector<float> plain_;
  std::vector<float> bias_;
  std::vector<dnnl::memory> reordered_;
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
  return std::make_shared<Weights>(weights, bias, inputs, outputs);
}

DenseForward::DenseForward(std::shared_ptr<Weights> shared_weights, std::size_t batch_size)
    : impl_(std::make_unique<Impl>()) {
  Weights& weights = *shared_weights;
  const Desc x({Dim(batch_size), Dim(weights.inputs())}, kF32, Tag::ab);
  const Desc w({Dim(weights.outputs()), Dim(weights.inputs())}, kF32, Tag::any);
  const Desc b({Dim(weights.outputs())}, kF32, Tag::a);
  const Desc y({Dim(batch_size), Dim(weights.outputs())}, kF32, Tag::ab);
  using Inner = dnnl::inner_product_forward;
  const auto kind = dnnl::prop_kind::forward_inference;
  const Inner::desc desc =
      weights.has_bias() ? Inner::desc(kind, x, w, b, y) : Inner::desc(kind, x, w, y);
  impl_->desc = Inner::primitive_desc(desc, StrictAttributes(), CpuEngine());
  impl_->primitive = Inner(impl_->desc);
  impl_->weights_memory = weights.In(impl_->desc.weights_desc());
  if (weights.has_bias()) impl_->bias_memory = weights.Bias();
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
  std::unordered_map<int, dnnl::memory> arguments = {{DNNL_ARG_SRC, source},
                                                     {DNNL_ARG_WEIGHTS, impl.weights_memory},
                                                     {DNNL_ARG_DST, target},
                                                     {DNNL_ARG_SCRATCHPAD, scratchpad}};
  if (impl.weights->has_bias()) arguments.emplace(DNNL_ARG_BIAS, impl.bias_memory);
  impl.primitive.execute(ThreadStream(), arguments);
  ThreadStream().wait();
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
