// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it converts UINT8 pixels to inputs and radii back to pixels.
#ifndef MODEL_NETWORK_PIXEL_SCALING_H_
#define MODEL_NETWORK_PIXEL_SCALING_H_

#include <array>
#include <cstdint>
#include <span>

namespace lipserve {

// The largest integer that is at most the square of `radius`. It is the R2 of the statement "every
// UINT8 image p' with sum (p' - p)^2 <= R2 gets the same class".
//
// Guarantee: exact, in integers, so that no rounding mode matters; 2^64 - 1 where the square is
//            larger, and 0 for a radius below 1, a negative one, or NaN.
std::uint64_t SquaredRadiusDown(double radius);

// Pixel p becomes T[p], the float32 number nearest to p / divisor. The table is part of the model.
//
// Guarantee: for all pixel vectors p, q: ||T(p) - T(q)||_2 <= L ||p - q||_2 with
//            L = max_k T[k+1] - T[k] exactly, so an input radius r holds for pixel vectors within
//            PixelRadius(r) <= r / L, rounded down.
class PixelScaling {
 public:
  // Requires: divisor is positive and finite, and neither 1/divisor nor 255/divisor leaves the
  // normal float32 numbers (CheckPixelDivisor).
  explicit PixelScaling(double divisor);

  float operator[](std::uint8_t pixel) const { return table_[pixel]; }

  // Shapes: pixels and inputs have the same size.
  void Apply(std::span<const std::uint8_t> pixels, std::span<float> inputs) const;

  // The largest pixel radius that input radius `radius_l2` proves, rounded down.
  //
  // Requires: the environment of ScopedStrictFloatingPoint.
  double PixelRadius(double radius_l2) const;

 private:
  std::array<float, 256> table_{};
  double steepest_step_ = 0.0;  // exact
};

// Whether `divisor` satisfies PixelScaling's requirement.
bool IsValidPixelDivisor(double divisor);

}  // namespace lipserve

#endif  // MODEL_NETWORK_PIXEL_SCALING_H_
