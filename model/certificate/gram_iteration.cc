// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/gram_iteration.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/arithmetic/vector_norm.h"
#include "model/certificate/symmetric_panel.h"

namespace lipserve {
namespace {

// What underflow can add to the norm of a square, or of a matrix that is scaled down, of order up
// to 2^22 and norm up to 1. It is implied: gamma_{p+1} is for one rounding more than p products
// have, which leaves u ||M||_F^2, at least 2^-853 as NormBound is never below 2^-400. Without any
// squaring, NormBound itself is 2^-400 above the norm.
constexpr double kUnderflow = 0x1p-900;

Upper FrobeniusNorm(std::span<const double> matrix, std::size_t p) {
  Upper squares;
  for (std::size_t i = 0; i < p; ++i) {
    const Upper norm = NormBound(matrix.subspan(i * p, p));
    squares = squares + norm * norm;
  }
  return SqrtUp(squares);
}

// The least exponent e with value < 2^e, but 0 for 0 and what is not finite.
int ExponentAbove(Upper value) {
  if (!(value.value() > 0.0) || !std::isfinite(value.value())) return 0;
  return std::ilogb(value.value()) + 1;
}

// matrix *= 2^exponent, exact but for underflow.
void ScaleBy(std::span<double> matrix, int exponent) {
  for (double& value : matrix) value = std::ldexp(value, exponent);
}

// square = matrix^2, symmetric to the bit.
void Square(std::span<const double> matrix, std::size_t p, std::span<double> square) {
  std::fill(square.begin(), square.end(), 0.0);
  SymmetricPanel panel(std::min(SymmetricPanel::kUsualDepth, p), p);
  for (std::size_t first = 0; first < p; first += SymmetricPanel::kUsualDepth) {
    panel.Reset(std::min(SymmetricPanel::kUsualDepth, p - first), p);
    for (std::size_t t = 0; t < panel.depth(); ++t) {
      panel.SetRow(t, 0, matrix.subspan((first + t) * p, p));
    }
    panel.SubtractSquare(0, square.data(), p);
  }
  for (std::size_t i = 0; i < p; ++i) {
    for (std::size_t j = i; j < p; ++j) {
      square[i * p + j] = -square[i * p + j];
      square[j * p + i] = square[i * p + j];
    }
  }
}

// 2^exponent, which is in range for the exponents of norms near 1.
Upper PowerOfTwo(int exponent) { return Upper(std::ldexp(1.0, exponent)); }

// One squaring: ||M||^2 <= scale ||M'|| + error, where M' is the next matrix.
struct Step {
  Upper scale;
  Upper error;
};

// ||M_0||_2 from ||M_k||_2.
Upper Unwind(const std::vector<Step>& steps, Upper last) {
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    last = SqrtUp(step->scale * last + step->error);
  }
  return last;
}

}  // namespace

Upper BoundByGramIteration(std::span<const double> matrix, std::size_t p, double close_enough) {
  std::vector<double> m(matrix.begin(), matrix.end());
  std::vector<double> square(m.size());
  Upper norm = FrobeniusNorm(m, p);
  const int first_exponent = ExponentAbove(norm);
  ScaleBy(m, -first_exponent);
  const auto bound = [&](const std::vector<Step>& steps) {
    return PowerOfTwo(first_exponent) * (Unwind(steps, norm) + Upper(kUnderflow));
  };
  const Upper gamma = Gamma(static_cast<double>(p + 1), kUnitRoundoff64);
  std::vector<Step> steps;
  norm = FrobeniusNorm(m, p);
  Upper best = bound(steps);
  for (int k = 0; k < kMaxGramIterations && best.value() > close_enough; ++k) {
    Square(m, p, square);
    const Upper error = gamma * norm * norm + Upper(kUnderflow);
    m.swap(square);
    const int exponent = ExponentAbove(FrobeniusNorm(m, p));
    ScaleBy(m, -exponent);
    norm = FrobeniusNorm(m, p);
    steps.push_back({.scale = PowerOfTwo(exponent), .error = error + Upper(kUnderflow)});
    const Upper now = bound(steps);
    if (now.value() < best.value()) best = now;
  }
  return best;
}

}  // namespace lipserve
