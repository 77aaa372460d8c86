// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/unit_box.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>

namespace lipserve::trainer {
namespace {

constexpr std::size_t kLanes = 8;
constexpr int kMostSteps = 60;

// Independent sums, so that the compiler may add several numbers at once.
struct Sums {
  std::array<double, kLanes> advance{};  // <a, d>
  std::array<double, kLanes> slope{};    // of <a, d> in t
  std::array<double, kLanes> squares{};  // <d, d>

  void Add(std::size_t lane, double x, double a, double t) {
    const double wanted = x + t * a;
    const double d = std::min(std::max(wanted, 0.0), 1.0) - x;
    // At t = 0 a coordinate on the border moves only if a points inwards.
    const bool moves = a > 0.0 ? wanted < 1.0 : wanted > 0.0;
    advance[lane] += a * d;
    slope[lane] += moves ? a * a : 0.0;
    squares[lane] += d * d;
  }
};

double Total(const std::array<double, kLanes>& lanes) {
  double sum = 0.0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

Sums SumsAt(std::span<const float> x, std::span<const double> a, double t) {
  Sums sums;
  std::size_t k = 0;
  for (; k + kLanes <= x.size(); k += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      sums.Add(lane, static_cast<double>(x[k + lane]), a[k + lane], t);
    }
  }
  for (; k < x.size(); ++k) sums.Add(0, static_cast<double>(x[k]), a[k], t);
  return sums;
}

}  // namespace

BoxStep NearestInUnitBox(std::span<const float> x, std::span<const double> a, double gap) {
  assert(x.size() == a.size() && gap >= 0.0);
  double t = 0.0;
  for (int step = 0; step < kMostSteps; ++step) {
    const Sums sums = SumsAt(x, a, t);
    const double missing = gap - Total(sums.advance);
    if (missing <= 1e-12 * gap) return {t, std::sqrt(Total(sums.squares))};
    const double slope = Total(sums.slope);
    if (slope <= 0.0) break;
    t += missing / slope;
  }
  return {t, std::numeric_limits<double>::infinity()};
}

}  // namespace lipserve::trainer
