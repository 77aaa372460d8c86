// SPDX-License-Identifier: Apache-2.0
#ifndef MODEL_ARITHMETIC_FLUSH_TO_ZERO_H_
#define MODEL_ARITHMETIC_FLUSH_TO_ZERO_H_

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace lipserve {

// Lets the calling thread take subnormal numbers as zeros, operands and results alike, until the
// end of the scope. Processors take up to a hundred times longer for subnormal numbers, and whoever
// sends an input may choose them.
//
// For evaluations only whose error bound allows it (certificate/PROOF.md, Lemma 1), never where a
// bound is computed. Does nothing on processors other than x86.
class ScopedFlushToZero {
 public:
#if defined(__SSE__)
  ScopedFlushToZero() : previous_(_mm_getcsr()) { _mm_setcsr(previous_ | kFlush); }
  ~ScopedFlushToZero() { _mm_setcsr(previous_); }
#else
  ScopedFlushToZero() = default;
#endif
  ScopedFlushToZero(const ScopedFlushToZero&) = delete;
  ScopedFlushToZero& operator=(const ScopedFlushToZero&) = delete;

 private:
#if defined(__SSE__)
  static constexpr unsigned kFlush = 0x8040;  // results and operands
  unsigned previous_;
#endif
};

}  // namespace lipserve

#endif  // MODEL_ARITHMETIC_FLUSH_TO_ZERO_H_
