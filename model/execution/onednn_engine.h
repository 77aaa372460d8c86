// SPDX-License-Identifier: Apache-2.0
// What the files that know oneDNN share. Only onednn*.cc may include this header.
#ifndef MODEL_EXECUTION_ONEDNN_ENGINE_H_
#define MODEL_EXECUTION_ONEDNN_ENGINE_H_

#include <cstddef>
#include <dnnl.hpp>
#include <span>
#include <vector>

namespace lipserve::onednn {

inline constexpr auto kF32 = dnnl::memory::data_type::f32;

inline dnnl::memory::dim Dim(std::size_t size) { return static_cast<dnnl::memory::dim>(size); }

// oneDNN's CPU engine. Engines hold no mutable state, so one serves every thread.
const dnnl::engine& CpuEngine();

// In-order CPU streams hold no state that execution changes; one per thread costs nothing and
// keeps ThreadSanitizer and us from having to trust that.
dnnl::stream& ThreadStream();

// Default attributes, pinned: strict float32, scratch memory from the caller (the library's own is
// thread-local to the creator and crashes in another thread).
dnnl::primitive_attr StrictAttributes();

// Runs a primitive that reads x, weights and, unless it is empty, bias, and writes y.
void Execute(const dnnl::primitive& primitive, const dnnl::memory& x, const dnnl::memory& weights,
             const dnnl::memory& bias, const dnnl::memory& y, const dnnl::memory& scratch);

// Plain weights, and one reordered copy for each blocked layout that a batch size asked for (on
// AVX-512 all batch sizes ask for the same).
class ReorderedWeights {
 public:
  // `plain`: how `weights` lie, row-major.
  ReorderedWeights(std::span<const float> weights, std::span<const float> bias,
                   const dnnl::memory::desc& plain);

  const dnnl::memory::desc& plain() const { return plain_desc_; }
  bool has_bias() const { return !bias_.empty(); }
  // An empty memory if there is none.
  dnnl::memory Bias();

  // The weights in layout `desc`; the memory lives as long as this object.
  dnnl::memory In(const dnnl::memory::desc& desc);

 private:
  dnnl::memory::desc plain_desc_;
  std::vector<float> plain_;
  std::vector<float> bias_;
  std::vector<dnnl::memory> reordered_;
};

}  // namespace lipserve::onednn

#endif  // MODEL_EXECUTION_ONEDNN_ENGINE_H_
