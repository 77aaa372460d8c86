// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it notices when a machine, a library or a compiler option breaks
// the arithmetic that every proof here assumes.
#ifndef MODEL_ARITHMETIC_FLOATING_POINT_CANARY_H_
#define MODEL_ARITHMETIC_FLOATING_POINT_CANARY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace lipserve {

// Tests the calling thread's arithmetic. Returns one text for each assumption that does not hold;
// empty if all hold. Each assumption is tested on numbers that expose its violation: rounding to
// the nearest with ties to even, no excess precision, no flushing of subnormal results (FTZ) or
// operands (DAZ), no contraction of products and sums, no reassociation, comparisons with NaN,
// division and square root, neighbours of numbers, and the directed operations of
// outward_rounding.h.
//
// Guarantee: a compiler option is detected as far as it affects this file, which is compiled like
//            every other file of ours.
std::vector<std::string> BrokenFloatingPointAssumptions();

// Checks the arithmetic in which classes and radii are decided: the calling thread's, within
// ScopedStrictFloatingPoint. Each thread that classifies calls this once before it starts.
//
// Errors: FailedPrecondition naming every assumption that does not hold.
absl::Status CheckStrictFloatingPoint();

}  // namespace lipserve

#endif  // MODEL_ARITHMETIC_FLOATING_POINT_CANARY_H_
