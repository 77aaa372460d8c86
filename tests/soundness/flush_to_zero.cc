// SPDX-License-Identifier: Apache-2.0
// Preloaded into a program, it turns on what crtfastmath.o turns on in many: subnormal numbers are
// flushed to zero (FTZ) and taken as zero (DAZ), in every thread, because threads inherit it.
#if defined(__x86_64__)
#include <xmmintrin.h>

namespace {

[[gnu::constructor]] void FlushToZero() { _mm_setcsr(_mm_getcsr() | 0x8040U); }

}  // namespace
#endif
