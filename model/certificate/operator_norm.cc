// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/operator_norm.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "model/certificate/cholesky.h"
#include "model/certificate/outward_rounding.h"
#include "model/execution/dense_float64.h"

namespace lipserve {
namespace {

// What underflow can add in a factorisation of numbers below 2 and at most 2^22 rows.
constexpr double kCholeskyUnderflow = 0x1p-900;
// A claim is a hair above the smallest provable bound, so that another machine proves it too.
constexpr double kClaimSlack = 0x1p-36;

std::vector<float> Transposed(ConstMatrixView w) {
  std::vector<float> result(w.size());
  for (std::size_t r = 0; r < w.rows; ++r) {
    for (std::size_t c = 0; c < w.cols; ++c) result[c * w.rows + r] = w.data[r * w.cols + c];
  }
  return result;
}

// G = s^2 A A^T in float64 for A = W or W^T, p = its smaller dimension, and a power of two s that
// brings ||A||_F near 1, where nothing overflows or underflows.
class ScaledGram {
 public:
  // Requires: w is not all zero.
  explicit ScaledGram(ConstMatrixView w)
      : p_(std::min(w.rows, w.cols)), q_(std::max(w.rows, w.cols)), gram_(p_ * p_) {
    const std::vector<float> transposed = w.rows <= w.cols ? std::vector<float>() : Transposed(w);
    const std::span<const float> a =
        transposed.empty() ? std::span<const float>(w.data, w.size()) : transposed;
    float largest = 0.0F;
    for (const float value : a) largest = std::max(largest, std::fabs(value));
    // Within [2^-1, 2^11] for up to 2^22 equal weights.
    exponent_ = -std::ilogb(largest);
    std::vector<double> scaled(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      scaled[i] = std::ldexp(static_cast<double>(a[i]), 2 * exponent_);
    }
    DenseFloat64(a, {}, q_, p_).Run(scaled.data(), p_, gram_.data());
    // One triangle decides, so that the matrix is symmetric to the bit.
    for (std::size_t i = 0; i < p_; ++i) {
      for (std::size_t j = 0; j < i; ++j) gram_[i * p_ + j] = gram_[j * p_ + i];
    }
  }

  std::size_t p() const { return p_; }
  const std::vector<double>& gram() const { return gram_; }

  // ||computed G - exact G||_2 <= gamma_q ||s A||_F^2, and ||s A||_F^2 is the exact trace, which
  // is at most the computed one / (1 - gamma_q).
  Upper GramError() const {
    const Upper gamma = Gamma(static_cast<double>(q_), kUnitRoundoff64);
    Upper trace;
    for (std::size_t i = 0; i < p_; ++i) trace = trace + Upper(gram_[i * p_ + i]);
    return gamma * DivideUp(trace, 1.0 - 2.0 * gamma.value());
  }

  // sqrt(lambda) / s, rounded up.
  double NormFromEigenvalue(Upper lambda) const {
    return std::ldexp(SqrtUp(lambda).value(), -exponent_);
  }
  // (s norm)^2.
  double EigenvalueFromNorm(double norm) const {
    const double scaled = std::ldexp(norm, exponent_);
    return scaled * scaled;
  }

  // The Rayleigh quotient after `steps` power iterations: an estimate from below.
  double LargestEigenvalueEstimate(int steps) const {
    std::vector<double> x(p_);
    for (std::size_t i = 0; i < p_; ++i) x[i] = 1.0 + 1e-3 * static_cast<double>(i % 7);
    std::vector<double> y(p_);
    double quotient = 0.0;
    for (int step = 0; step < steps; ++step) {
      double norm_squared = 0.0;
      double product = 0.0;
      double length = 0.0;
      for (std::size_t i = 0; i < p_; ++i) {
        y[i] = 0.0;
        for (std::size_t j = 0; j < p_; ++j) y[i] += gram_[i * p_ + j] * x[j];
        norm_squared += y[i] * y[i];
        product += x[i] * y[i];
        length += x[i] * x[i];
      }
      quotient = product / length;
      if (!(norm_squared > 0.0)) break;
      const double scale = 1.0 / std::sqrt(norm_squared);
      for (std::size_t i = 0; i < p_; ++i) x[i] = y[i] * scale;
    }
    return quotient;
  }

 private:
  std::size_t p_;
  std::size_t q_;
  int exponent_ = 0;
  std::vector<double> gram_;
};

// The slack of the Cholesky proof at c: rounding of the diagonal, of the factorisation, underflow,
// and the error of G itself.
Upper ProofSlack(const ScaledGram& gram, double c) {
  const std::size_t p = gram.p();
  Upper trace;
  Upper largest;
  for (std::size_t i = 0; i < p; ++i) {
    const Upper diagonal(std::max(c - gram.gram()[i * p + i], 0.0));
    trace = trace + diagonal;
    largest = Max(largest, diagonal);
  }
  const Upper gamma = Gamma(static_cast<double>(p + 2), kUnitRoundoff64);
  const Upper g = DivideUp(gamma, 1.0 - 2.0 * gamma.value());
  return Upper(kUnitRoundoff64) * largest + g * trace + Upper(kCholeskyUnderflow) +
         gram.GramError();
}

// A proven upper bound of lambda_max(s^2 A A^T), if c I - G is found to be positive definite.
std::optional<Upper> ProveEigenvalueBound(const ScaledGram& gram, double c) {
  const std::size_t p = gram.p();
  std::vector<double> b(p * p);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = -gram.gram()[i];
  for (std::size_t i = 0; i < p; ++i) b[i * p + i] = c - gram.gram()[i * p + i];
  if (!FactoriseCholesky(b, p)) return std::nullopt;
  return Upper(c) + ProofSlack(gram, c);
}

// The smallest c that a search finds with a completing factorisation.
std::optional<Upper> SmallestProvableEigenvalueBound(const ScaledGram& gram, double estimate) {
  double low = estimate;
  double high = estimate;
  std::optional<Upper> best;
  for (double step = 1e-12; step < 8.0 && !best; step *= 8.0) {
    low = high;
    high = estimate * (1.0 + step);
    best = ProveEigenvalueBound(gram, high);
  }
  while (best && high - low > 2e-11 * estimate) {
    const double middle = 0.5 * (low + high);
    if (const auto proven = ProveEigenvalueBound(gram, middle)) {
      high = middle;
      best = proven;
    } else {
      low = middle;
    }
  }
  return best;
}

bool IsAllZero(ConstMatrixView w) {
  return std::all_of(w.data, w.data + w.size(), [](float value) { return value == 0.0F; });
}

bool ProveAtMost(const ScaledGram& gram, double claim) {
  if (!(claim > 0.0) || claim > std::numeric_limits<double>::max()) return false;
  const double target = gram.EigenvalueFromNorm(claim);
  // The slack grows with c, so the one at the target covers every smaller c; the first term covers
  // the roundings of this line, of the sum and of the square root.
  const double c = target * (1.0 - 0x1p-49) - 1.5 * ProofSlack(gram, target).value();
  const auto proven = ProveEigenvalueBound(gram, c);
  return proven && gram.NormFromEigenvalue(*proven) <= claim;
}

}  // namespace

bool ProveOperatorNormAtMost(ConstMatrixView w, double claim) {
  const ScopedStrictFloatingPoint strict;
  if (IsAllZero(w)) return claim >= 0.0;
  return ProveAtMost(ScaledGram(w), claim);
}

absl::StatusOr<double> BoundOperatorNorm(ConstMatrixView w) {
  const ScopedStrictFloatingPoint strict;
  if (IsAllZero(w)) return 0.0;
  const ScaledGram gram(w);
  constexpr int kPowerIterations = 300;
  const double estimate = gram.LargestEigenvalueEstimate(kPowerIterations);
  const auto eigenvalue = SmallestProvableEigenvalueBound(gram, estimate);
  if (!eigenvalue) {
    return absl::InternalError(absl::StrFormat(
        "operator norm of a %d x %d matrix: no factorisation up to 8 times the largest eigenvalue "
        "estimate %g completed; the weights may be damaged",
        w.rows, w.cols, estimate));
  }
  double bound = gram.NormFromEigenvalue(*eigenvalue) * (1.0 + kClaimSlack);
  for (int attempt = 0; attempt < 8 && !ProveAtMost(gram, bound); ++attempt) {
    bound *= 1.0 + kClaimSlack;
  }
  const double from_below = std::sqrt(estimate) * gram.NormFromEigenvalue(Upper(1.0));
  const bool agree = bound >= from_below * (1.0 - 1e-12) && bound <= from_below * (1.0 + 1e-3);
  if (!agree || !ProveAtMost(gram, bound)) {
    return absl::InternalError(absl::StrFormat(
        "operator norm of a %d x %d matrix: the proof gives %.17g, power iteration %.17g; expected "
        "agreement to 1e-3",
        w.rows, w.cols, bound, from_below));
  }
  return bound;
}

}  // namespace lipserve
