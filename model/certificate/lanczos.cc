// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/lanczos.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace lipserve {
namespace {

double Dot(std::span<const double> x, std::span<const double> y) {
  double sum = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

void Scale(std::span<double> x, double factor) {
  for (double& value : x) value *= factor;
}

// x -= factor y.
void Subtract(std::span<double> x, double factor, std::span<const double> y) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] -= factor * y[i];
}

struct Tridiagonal {
  std::vector<double> diagonal;
  std::vector<double>
      off_diagonal;  // off_diagonal[i] is the entry (i, i + 1); the last one is not used
};

// Whether every eigenvalue is below `limit`: all pivots of limit I - A are positive.
bool IsBelow(const Tridiagonal& a, double limit) {
  double pivot = 1.0;
  for (std::size_t i = 0; i < a.diagonal.size(); ++i) {
    const double coupling = i == 0 ? 0.0 : a.off_diagonal[i - 1] * a.off_diagonal[i - 1] / pivot;
    pivot = limit - a.diagonal[i] - coupling;
    if (!(pivot > 0.0)) return false;
  }
  return true;
}

double LargestEigenvalue(const Tridiagonal& a) {
  double low = *std::max_element(a.diagonal.begin(), a.diagonal.end());
  double high = low;
  for (std::size_t i = 0; i < a.diagonal.size(); ++i) {
    const double left = i == 0 ? 0.0 : a.off_diagonal[i - 1];
    const double right = i + 1 == a.diagonal.size() ? 0.0 : a.off_diagonal[i];
    high = std::max(high, a.diagonal[i] + left + right);  // Gershgorin
  }
  constexpr int kHalvings = 100;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = 0.5 * (low + high);
    (IsBelow(a, middle) ? high : low) = middle;
  }
  return low;
}

}  // namespace

double LargestEigenvalueEstimate(std::size_t n, const SymmetricMap& map, std::size_t steps,
                                 const StopCheck& stop) {
  std::mt19937_64 random(n);
  std::vector<double> current(n);
  for (double& value : current) value = static_cast<double>(random() >> 11) * 0x1p-53 - 0.5;
  Scale(current, 1.0 / std::sqrt(Dot(current, current)));
  std::vector<double> previous(n, 0.0);
  std::vector<double> next(n);
  Tridiagonal a;
  double beta = 0.0;
  for (std::size_t step = 0; step < std::min(steps, n); ++step) {
    map(current, next);
    if (stop()) return 0.0;
    const double alpha = Dot(current, next);
    Subtract(next, alpha, current);
    Subtract(next, beta, previous);
    beta = std::sqrt(Dot(next, next));
    a.diagonal.push_back(alpha);
    a.off_diagonal.push_back(beta);
    // An invariant subspace: what follows would be noise.
    if (!(beta > 1e-14 * std::fabs(alpha))) break;
    Scale(next, 1.0 / beta);
    previous.swap(current);
    current.swap(next);
  }
  return LargestEigenvalue(a);
}

}  // namespace lipserve
