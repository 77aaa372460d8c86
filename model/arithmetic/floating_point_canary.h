// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it notices when a machine, a library or a compiler option breaks
// the arithmetic that every proof here assumes.
#ifndef MODEL_ARITHMETIC_FLOATING_POINT_CANARY_H_
#define MODEL_ARITHMETIC_FLOATING_POINT_CANARY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace lipserve {

// What does not hold of the calling thread's arithmetic, in words; empty if all is well. Each
// assumption is tried on numbers for which its violation shows: rounding to the nearest with ties
// to even, no excess precision, no flushing of subnormal results (FTZ) or operands (DAZ), no
// contraction of products and sums, no reassociation, comparisons with NaN, division and square
// root, neighbours of numbers, and the directed operations of outward_rounding.h.
//
// Guarantee: what the compiler does shows as far as it does it to this file, which is compiled like
//            every other file of ours.
std::vector<std::string> BrokenFloatingPointAssumptions();

// Checks the arithmetic in which classes and radii are decided: that of the calling thread within
// ScopedStrictFloatingPoint. A thread that will decide calls it once before it starts.
//
// Errors: FailedPrecondition naming every assumption that does not hold.
absl::Status CheckStrictFloatingPoint();

}  // namespace lipserve

#endif  // MODEL_ARITHMETIC_FLOATING_POINT_CANARY_H_
