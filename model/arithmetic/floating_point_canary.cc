// SPDX-License-Identifier: Apache-2.0
#include "model/arithmetic/floating_point_canary.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/arithmetic/outward_rounding.h"

namespace lipserve {
namespace {

// Returns `value`, hidden from the optimiser, so that arithmetic on it happens at run time.
template <typename T>
T Opaque(T value) {
  volatile T opaque = value;
  return opaque;
}

// Numbers between two neighbours of 1 or -1, closer to 1 or -1, and ties. Any directed rounding
// mode goes to the other neighbour somewhere, and so does excess precision.
template <typename T>
bool RoundsToNearest() {
  const T one = Opaque(T{1});
  const T ulp = std::numeric_limits<T>::epsilon();  // above 1; half of that below
  return one + Opaque(ulp / 4) == one && one - Opaque(ulp / 8) == one &&
         -one - Opaque(ulp / 4) == -one && -one + Opaque(ulp / 8) == -one &&
         one + Opaque(ulp / 2) == one && (one + ulp) + Opaque(ulp / 2) == one + 2 * ulp;
}

// Two halves of an ulp, added to 1 one by one, each vanish in the type's own precision.
template <typename T>
bool HasNoExcessPrecision() {
  const T half_ulp = Opaque(std::numeric_limits<T>::epsilon() / 2);
  const T sum = Opaque(T{1}) + half_ulp + half_ulp;
  return sum == T{1};
}

// Compared as bits: a comparison of floats might take a subnormal for zero.
bool KeepsSubnormalResults() {
  const double result64 = Opaque(0x1p-1022) * Opaque(0x1p-28);
  const float result32 = Opaque(0x1p-126F) * Opaque(0x1p-10F);
  return std::bit_cast<std::uint64_t>(result64) == std::uint64_t{1} << 24 &&
         std::bit_cast<std::uint32_t>(result32) == std::uint32_t{1} << 13;
}

bool KeepsSubnormalOperands() {
  return Opaque(0x1p-1050) * Opaque(0x1p100) == 0x1p-950 &&
         Opaque(0x1p-140F) * Opaque(0x1p100F) == 0x1p-40F;
}

// (1 + 2^-27)(1 - 2^-27) = 1 - 2^-54 rounds to 1, unless the product goes unrounded into the sum.
bool RoundsProductsBeforeSums() {
  const double a = Opaque(1.0 + 0x1p-27);
  const double b = Opaque(1.0 - 0x1p-27);
  const double c = Opaque(-1.0);
  const float a32 = Opaque(1.0F + 0x1p-13F);
  const float b32 = Opaque(1.0F - 0x1p-13F);
  const float c32 = Opaque(-1.0F);
  return a * b + c == 0.0 && a32 * b32 + c32 == 0.0F;
}

bool AddsInSourceOrder() {
  const double large = Opaque(0x1p60);
  const double small = Opaque(1.0);
  return (large + small) - large == 0.0;
}

bool ComparesNanAsUnordered() {
  const double nan = Opaque(std::numeric_limits<double>::quiet_NaN());
  const bool ordered = nan > 0.0 || nan <= 0.0;
  return !ordered && nan != nan && !(Opaque(std::numeric_limits<double>::infinity()) - nan <= 0.0);
}

// The sign of a fused multiply-add is that of the exact remainder.
bool DividesAndTakesRootsToTheNearest() {
  const double third = Opaque(1.0) / Opaque(3.0);
  const double root = std::sqrt(Opaque(2.0));
  return std::bit_cast<std::uint64_t>(third) == 0x3FD5555555555555U &&
         std::bit_cast<std::uint64_t>(root) == 0x3FF6A09E667F3BCDU;
}

bool FindsNeighbours() {
  const double above_zero = std::nextafter(Opaque(0.0), 1.0);
  const float above_zero32 = std::nextafter(Opaque(0.0F), 1.0F);
  return std::nextafter(Opaque(1.0), 2.0) == 1.0 + 0x1p-52 &&
         std::nextafter(Opaque(1.0), 0.0) == 1.0 - 0x1p-53 &&
         std::bit_cast<std::uint64_t>(above_zero) == 1 &&
         std::bit_cast<std::uint32_t>(above_zero32) == 1;
}

bool RoundsOutward() {
  const Upper one(Opaque(1.0));
  const double third = DivideDown(Opaque(1.0), Opaque(3.0));
  const double root = SqrtUp(Upper(Opaque(2.0))).value();
  return (one + Upper(Opaque(0x1p-60))).value() > 1.0 && (one * one).value() > 1.0 &&
         SubtractDown(Opaque(1.0), Opaque(0x1p-60)) < 1.0 && std::fma(third, 3.0, -1.0) < 0.0 &&
         std::fma(root, root, -2.0) > 0.0;
}

struct Canary {
  const char* assumption;
  bool (*holds)();
};

constexpr Canary kCanaries[] = {
    {"float64 results rounded to the nearest", RoundsToNearest<double>},
    {"float32 results rounded to the nearest", RoundsToNearest<float>},
    {"float64 sums without excess precision", HasNoExcessPrecision<double>},
    {"float32 sums without excess precision", HasNoExcessPrecision<float>},
    {"subnormal results kept (no FTZ)", KeepsSubnormalResults},
    {"subnormal operands kept (no DAZ)", KeepsSubnormalOperands},
    {"products rounded before they are added (no contraction)", RoundsProductsBeforeSums},
    {"sums in the written order (no reassociation)", AddsInSourceOrder},
    {"NaN neither above nor below any number", ComparesNanAsUnordered},
    {"quotients and square roots rounded to the nearest", DividesAndTakesRootsToTheNearest},
    {"neighbours of numbers by nextafter", FindsNeighbours},
    {"bounds rounded outward", RoundsOutward},
};

}  // namespace

std::vector<std::string> BrokenFloatingPointAssumptions() {
  std::vector<std::string> broken;
  for (const Canary& canary : kCanaries) {
    if (!canary.holds()) broken.emplace_back(canary.assumption);
  }
  return broken;
}

absl::Status CheckStrictFloatingPoint() {
  const ScopedStrictFloatingPoint strict;
  const std::vector<std::string> broken = BrokenFloatingPointAssumptions();
  if (broken.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "floating-point arithmetic: expected ", absl::StrJoin(broken, ", "),
      ", got otherwise; no certificate would hold here: build without -ffast-math and for SSE2 or "
      "later, and run on a processor or emulator that follows IEEE 754"));
}

}  // namespace lipserve
