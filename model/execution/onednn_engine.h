// SPDX-License-Identifier: Apache-2.0
// Shared by the files that call oneDNN. Only onednn*.cc may include this header.
#ifndef MODEL_EXECUTION_ONEDNN_ENGINE_H_
#define MODEL_EXECUTION_ONEDNN_ENGINE_H_

#include <cstddef>
#include <dnnl.hpp>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/foundation/mutex.h"

namespace lipserve::onednn {

inline constexpr auto kF32 = dnnl::memory::data_type::f32;

inline dnnl::memory::dim Dim(std::size_t size) { return static_cast<dnnl::memory::dim>(size); }

// oneDNN's CPU engine. Engines hold no mutable state, so one serves every thread.
const dnnl::engine& CpuEngine();

// The calling thread's own in-order CPU stream. Execution changes no state of a stream, so threads
// could share one. A stream per thread costs nothing and does not rely on that.
dnnl::stream& ThreadStream();

// Default attributes, pinned: strict float32, scratch memory from the caller (the library's own is
// thread-local to the creator and crashes in another thread).
dnnl::primitive_attr StrictAttributes();

// One reordered copy of weights for each blocked layout that a batch size needs (on AVX-512 all
// batch sizes need the same one).
class ReorderedWeights {
 public:
  // `plain`: the row-major layout of `weights`, which must be valid in every call of InLayout.
  ReorderedWeights(std::span<const float> weights, std::span<const float> bias,
                   const dnnl::memory::desc& plain);

  const dnnl::memory::desc& plain() const { return plain_desc_; }
  bool has_bias() const { return !bias_.empty(); }
  // An empty memory if there is none.
  dnnl::memory Bias();

  // The weights in layout `desc`; the memory lives as long as this object.
  dnnl::memory InLayout(const dnnl::memory::desc& desc);

 private:
  dnnl::memory::desc plain_desc_;
  std::span<const float> plain_;
  std::vector<float> bias_;
  std::vector<dnnl::memory> reordered_;
};

// A pool of oneDNN's memory objects for what a primitive reads and writes in one execution.
// Creating them costs as much as computing a small layer, so executions reuse them.
//
// Threads: all functions are safe to call from any thread.
class ExecutionMemories {
 public:
  struct Set {
    dnnl::memory source;
    dnnl::memory target;
    dnnl::memory scratch;
  };
  using SetPtr = std::unique_ptr<Set>;

  ExecutionMemories(const dnnl::memory::desc& source, const dnnl::memory::desc& target,
                    const dnnl::memory::desc& scratch)
      : source_(source), target_(target), scratch_(scratch) {}

  SetPtr Acquire();
  void Release(SetPtr set);

  std::size_t scratch_bytes() const { return scratch_.get_size(); }

 private:
  const dnnl::memory::desc source_;  // asking the primitive takes a microsecond
  const dnnl::memory::desc target_;
  const dnnl::memory::desc scratch_;
  Mutex mutex_;
  std::vector<SetPtr> idle_ ABSL_GUARDED_BY(mutex_);
};

// A primitive with frozen weights, which reads x and writes y.
//
// Threads: concurrent Execute calls are safe if their y and scratch do not overlap.
class FrozenPrimitive {
 public:
  // The memories of `weights` must outlive the primitive.
  template <typename PrimitiveDesc>
  FrozenPrimitive(const PrimitiveDesc& desc, ReorderedWeights& weights)
      : primitive_(desc),
        memories_(std::make_unique<ExecutionMemories>(desc.src_desc(), desc.dst_desc(),
                                                      desc.scratchpad_desc())),
        weights_(weights.InLayout(desc.weights_desc())),
        bias_(weights.Bias()),
        implementation_(desc.impl_info_str()) {}

  std::size_t scratch_bytes() const { return memories_->scratch_bytes(); }
  const std::string& implementation() const { return implementation_; }
  void Execute(const float* x, float* y, std::byte* scratch) const;

 private:
  dnnl::primitive primitive_;
  std::unique_ptr<ExecutionMemories> memories_;
  dnnl::memory weights_;
  dnnl::memory bias_;
  std::string implementation_;
};

}  // namespace lipserve::onednn

#endif  // MODEL_EXECUTION_ONEDNN_ENGINE_H_
