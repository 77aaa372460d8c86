// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/attacks/exact_ball.h"

#include <array>
#include <cmath>
#include <cstddef>

#include "tests/model/quad.h"

namespace lipserve {
namespace {

// In float64: one rounding in each difference (none in most), one in each square, and sums in
// eight lanes. The relative error is at most gamma_{n+4}.
double SquaredDistance(std::span<const float> a, std::span<const float> b) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> sums{};
  std::size_t k = 0;
  for (; k + kLanes <= a.size(); k += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double moved = static_cast<double>(a[k + lane]) - static_cast<double>(b[k + lane]);
      sums[lane] += moved * moved;
    }
  }
  for (; k < a.size(); ++k) {
    const double moved = static_cast<double>(a[k]) - static_cast<double>(b[k]);
    sums[0] += moved * moved;
  }
  double sum = 0.0;
  for (const double lane : sums) sum += lane;
  return sum;
}

std::uint64_t SquaredDistance(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  std::uint64_t sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const int moved = static_cast<int>(a[k]) - static_cast<int>(b[k]);
    sum += static_cast<std::uint64_t>(moved * moved);
  }
  return sum;
}

// The square of a float64 number is exact in quadruple precision.
Quad Squared(double radius) { return static_cast<Quad>(radius) * static_cast<Quad>(radius); }

// Differences and squares lose at most 2^-112 each, sums of 2^22 of them 2^-91 in all.
bool IsInBallByQuad(std::span<const float> a, std::span<const float> b, double radius) {
  Quad sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const Quad moved = static_cast<Quad>(a[k]) - static_cast<Quad>(b[k]);
    sum += moved * moved;
  }
  return sum * (1 + 0x1p-90) <= Squared(radius);
}

}  // namespace

bool IsInBall(std::span<const float> a, std::span<const float> b, double radius) {
  const double squares = SquaredDistance(a, b);
  // Twice the error of the sum, and of the radius' square, so that this line's own roundings fit.
  const double slack = (static_cast<double>(a.size()) + 16.0) * 0x1p-51;
  const double limit = radius * radius;
  const bool normal = limit > 0x1p-900 && limit < 0x1p900;
  if (normal && squares <= limit * (1.0 - slack)) return true;
  if (normal && squares > limit * (1.0 + slack)) return false;
  return IsInBallByQuad(a, b, radius);
}

bool IsInBall(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b, double radius) {
  return static_cast<Quad>(SquaredDistance(a, b)) <= Squared(radius);
}

double DistanceEstimate(std::span<const float> a, std::span<const float> b) {
  return std::sqrt(SquaredDistance(a, b));
}

double DistanceEstimate(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  return std::sqrt(static_cast<double>(SquaredDistance(a, b)));
}

}  // namespace lipserve
