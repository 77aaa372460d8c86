// SPDX-License-Identifier: Apache-2.0
#include "model/network/pixel_scaling.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>

#include "model/arithmetic/outward_rounding.h"

namespace lipserve {
namespace {

// The float32 number nearest to pixel / divisor. Rounding the float64 quotient would round twice,
// so the neighbours' midpoints, exact in float64, are compared with the true quotient: the sign of
// a fused multiply-add is exact.
float NearestQuotient(double pixel, double divisor) {
  const auto nearest = static_cast<float>(pixel / divisor);
  if (nearest == 0.0F) return 0.0F;
  const float up = std::nextafter(nearest, std::numeric_limits<float>::infinity());
  const float down = std::nextafter(nearest, 0.0F);
  const double above = 0.5 * (static_cast<double>(nearest) + static_cast<double>(up));
  const double below = 0.5 * (static_cast<double>(nearest) + static_cast<double>(down));
  if (std::fma(-above, divisor, pixel) > 0.0) return up;
  if (std::fma(-below, divisor, pixel) < 0.0) return down;
  return nearest;
}

}  // namespace

std::uint64_t SquaredRadiusDown(double radius) {
  __extension__ using Wide = unsigned __int128;
  if (!(radius >= 1.0)) return 0;  // NaN too
  if (radius >= 0x1p32) return std::numeric_limits<std::uint64_t>::max();
  // radius = significand * 2^-scale with a significand of 53 bits, so 21 <= scale <= 52.
  constexpr int kFractionBits = 52;
  constexpr std::uint64_t kImplicitBit = std::uint64_t{1} << kFractionBits;
  const auto bits = std::bit_cast<std::uint64_t>(radius);
  const int exponent = static_cast<int>(bits >> kFractionBits) - 1023;
  const Wide significand = (bits & (kImplicitBit - 1)) | kImplicitBit;
  const int scale = kFractionBits - exponent;
  return static_cast<std::uint64_t>((significand * significand) >> (2 * scale));
}

bool IsValidPixelDivisor(double divisor) {
  return divisor >= 0x1p-60 && divisor <= 0x1p60;  // false for NaN
}

PixelScaling::PixelScaling(double divisor) {
  assert(IsValidPixelDivisor(divisor));
  const ScopedStrictFloatingPoint strict;
  for (std::size_t pixel = 0; pixel < table_.size(); ++pixel) {
    table_[pixel] = NearestQuotient(static_cast<double>(pixel), divisor);
  }
  for (std::size_t pixel = 0; pixel + 1 < table_.size(); ++pixel) {
    // Exact in double: neighbours are float32 numbers at most a factor of two apart, or 0 and one.
    const double step = static_cast<double>(table_[pixel + 1]) - static_cast<double>(table_[pixel]);
    steepest_step_ = std::max(steepest_step_, step);
  }
}

void PixelScaling::Apply(std::span<const std::uint8_t> pixels, std::span<float> inputs) const {
  assert(pixels.size() == inputs.size());
  for (std::size_t i = 0; i < pixels.size(); ++i) inputs[i] = table_[pixels[i]];
}

double PixelScaling::PixelRadius(double radius_l2) const {
  return DivideDown(radius_l2, steepest_step_);
}

}  // namespace lipserve
