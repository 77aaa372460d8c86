// SPDX-License-Identifier: Apache-2.0
#include "model/execution/onednn_engine.h"

#include <array>
#include <utility>

namespace lipserve::onednn {

const dnnl::engine& CpuEngine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& ThreadStream() {
  thread_local dnnl::stream stream(CpuEngine());
  return stream;
}

dnnl::primitive_attr StrictAttributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
  return attributes;
}

ReorderedWeights::ReorderedWeights(std::span<const float> weights, std::span<const float> bias,
                                   const dnnl::memory::desc& plain)
    : plain_desc_(plain), plain_(weights), bias_(bias.begin(), bias.end()) {}

dnnl::memory ReorderedWeights::Bias() {
  if (bias_.empty()) return {};
  return {{{Dim(bias_.size())}, kF32, dnnl::memory::format_tag::a}, CpuEngine(), bias_.data()};
}

dnnl::memory ReorderedWeights::InLayout(const dnnl::memory::desc& desc) {
  for (const dnnl::memory& memory : reordered_) {
    if (memory.get_desc() == desc) return memory;
  }
  // oneDNN's memory wants a writable pointer even for what it only reads.
  dnnl::memory plain(plain_desc_, CpuEngine(), const_cast<float*>(plain_.data()));
  dnnl::memory memory(desc, CpuEngine());
  dnnl::reorder(plain, memory).execute(ThreadStream(), plain, memory);
  ThreadStream().wait();
  reordered_.push_back(memory);
  return memory;
}

ExecutionMemories::SetPtr ExecutionMemories::Acquire() {
  {
    MutexLock lock(mutex_);
    if (!idle_.empty()) {
      SetPtr set = std::move(idle_.back());
      idle_.pop_back();
      return set;
    }
  }
  return std::make_unique<Set>(Set{.source = {source_, CpuEngine(), nullptr},
                                   .target = {target_, CpuEngine(), nullptr},
                                   .scratch = {scratch_, CpuEngine(), nullptr}});
}

void ExecutionMemories::Release(SetPtr set) {
  MutexLock lock(mutex_);
  idle_.push_back(std::move(set));
}

// Calls the C interface. The map of arguments of the C++ interface costs five allocations, a
// notable part of the few microseconds that a small layer takes.
void FrozenPrimitive::Execute(const float* x, float* y, std::byte* scratch) const {
  ExecutionMemories::SetPtr memories = memories_->Acquire();
  // oneDNN's memory wants a writable pointer even for what it only reads.
  memories->source.set_data_handle(const_cast<float*>(x));
  memories->target.set_data_handle(y);
  memories->scratch.set_data_handle(scratch);
  const std::array<dnnl_exec_arg_t, 5> arguments = {{{DNNL_ARG_SRC, memories->source.get()},
                                                     {DNNL_ARG_WEIGHTS, weights_.get()},
                                                     {DNNL_ARG_DST, memories->target.get()},
                                                     {DNNL_ARG_SCRATCHPAD, memories->scratch.get()},
                                                     {DNNL_ARG_BIAS, bias_.get(true)}}};
  const int count = bias_ ? 5 : 4;
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(primitive_.get(), ThreadStream().get(), count, arguments.data()),
      "could not execute a primitive");
  ThreadStream().wait();
  memories_->Release(std::move(memories));
}

}  // namespace lipserve::onednn
