// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/operator_norm.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/arithmetic/outward_rounding.h"
#include "model/certificate/banded_cholesky.h"
#include "model/certificate/gram_iteration.h"
#include "model/certificate/lanczos.h"
#include "model/execution/dense_float64.h"
#include "model/foundation/paced_stop_check.h"
#include "model/foundation/status_macros.h"

namespace lipserve {
namespace {

// How close the search for a bound comes to the smallest provable one, relative, in ||W||^2.
constexpr double kTolerance = 2e-11;
// Rows of a Gram matrix that are computed together: up to 64, of up to 2^21 numbers in all.
std::size_t RowsAtOnce(std::size_t rows, std::size_t length) {
  return std::clamp<std::size_t>((std::size_t{1} << 21U) / length, 1,
                                 std::min<std::size_t>(64, rows));
}

std::vector<float> Transposed(ConstMatrixView w) {
  std::vector<float> result(w.size());
  for (std::size_t r = 0; r < w.rows; ++r) {
    for (std::size_t c = 0; c < w.cols; ++c) result[c * w.rows + r] = w.data[r * w.cols + c];
  }
  return result;
}

// The exponent that brings the largest weight into [1, 2), and so ||W||_F into [1, 2^12].
int ScaleExponent(ConstMatrixView w) {
  float largest = 0.0F;
  for (std::size_t i = 0; i < w.size(); ++i) largest = std::max(largest, std::fabs(w.data[i]));
  return -std::ilogb(largest);
}

// The proof for G = s^2 A A^T in float64, A = W or W^T with p rows and q >= p columns.
class DenseNormProof : public NormProof {
 public:
  // Requires: w is not all zero.
  explicit DenseNormProof(ConstMatrixView w, const StopCheck& stop)
      : NormProof(ScaleExponent(w), stop),
        p_(std::min(w.rows, w.cols)),
        q_(std::max(w.rows, w.cols)),
        triangle_(p_ * (p_ + 1) / 2) {
    const std::vector<float> transposed = w.rows <= w.cols ? std::vector<float>() : Transposed(w);
    const std::span<const float> a =
        transposed.empty() ? std::span<const float>(w.data, w.size()) : transposed;
    const DenseFloat64 products(a, {}, q_, p_);
    const int exponent = 2 * ScaleExponent(w);
    const std::size_t rows_at_once = RowsAtOnce(p_, q_);
    std::vector<double> scaled(rows_at_once * q_);
    std::vector<double> computed(rows_at_once * p_);
    PacedStopCheck stopped(stop);
    for (std::size_t first = 0; first < p_; first += rows_at_once) {
      const std::size_t rows = std::min(rows_at_once, p_ - first);
      if (stopped(rows * a.size())) break;
      for (std::size_t i = 0; i < rows * q_; ++i) {
        scaled[i] = std::ldexp(static_cast<double>(a[first * q_ + i]), exponent);
      }
      products.Run(scaled.data(), rows, computed.data());
      // One triangle stands for both, so that the matrix is symmetric to the bit.
      for (std::size_t i = 0; i < rows; ++i) {
        const double* const row = computed.data() + i * p_ + first + i;
        std::copy(row, row + (p_ - first - i), triangle_.begin() + Offset(first + i));
        diagonal_.push_back(*row);
      }
    }
    diagonal_.resize(p_);
  }

  bool Completes(double c) const override {
    SymmetricBand b(p_, p_ - 1);
    auto entry = triangle_.begin();
    for (std::size_t i = 0; i < p_; ++i) {
      b.at(i, i) = c - *entry++;
      for (std::size_t j = i + 1; j < p_; ++j) b.at(i, j) = -*entry++;
    }
    return FactoriseCholesky(b, stop());
  }

  Upper Slack(double c) const override {
    return FactorisationSlack(diagonal_, p_ - 1, c) + GramError();
  }

  // The bound by Gram iteration, which stops where it is near `estimate`, of the eigenvalue. No
  // claim rests on it alone: BoundOperatorNorm makes none that a factorisation does not prove.
  double BoundByGram(double estimate) const {
    std::vector<double> full(p_ * p_);
    auto entry = triangle_.begin();
    for (std::size_t i = 0; i < p_; ++i) {
      for (std::size_t j = i; j < p_; ++j) full[i * p_ + j] = full[j * p_ + i] = *entry++;
    }
    return NormBoundOf(BoundByGramIteration(full, p_, estimate * (1.0 + kTolerance)) + GramError());
  }

 private:
  // Of the diagonal entry of row i in the triangle.
  std::ptrdiff_t Offset(std::size_t i) const {
    return static_cast<std::ptrdiff_t>(i * p_ - i * (i + 1) / 2 + i);
  }

  // ||computed G - exact G||_2 <= gamma_q ||s A||_F^2, and ||s A||_F^2 is the exact trace, which
  // is at most the computed one / (1 - gamma_q). That quotient is implied: q exact products take q
  // - 1 additions, so that u times the trace is spare, and gamma_q^2 < u, for q is at most 2^22.
  Upper GramError() const {
    const Upper gamma = Gamma(static_cast<double>(q_), kUnitRoundoff64);
    Upper trace;
    for (const double entry : diagonal_) trace = trace + Upper(entry);
    return gamma * DivideUp(trace, 1.0 - 2.0 * gamma.value());
  }

  std::size_t p_;
  std::size_t q_;
  std::vector<double> triangle_;  // the rows of the Gram matrix from the diagonal on
  std::vector<double> diagonal_;
};

// W times a power of two.
struct ScaledMatrix {
  double operator()(std::size_t row, std::size_t column) const {
    return static_cast<double>(w.data[row * w.cols + column]) * scale;
  }

  ConstMatrixView w;
  double scale;
};

// y = A A^T x for A with more columns than rows. `image` becomes A^T x.
void ApplyWideGram(const ScaledMatrix& a, std::span<const double> x, std::span<double> image,
                   std::span<double> y) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t k = 0; k < image.size(); ++k) image[k] += x[i] * a(i, k);
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t k = 0; k < image.size(); ++k) y[i] += image[k] * a(i, k);
  }
}

// y = A^T A x for A with more rows than columns, each sum in the same order. `image` becomes A x.
void ApplyTallGram(const ScaledMatrix& a, std::span<const double> x, std::span<double> image,
                   std::span<double> y) {
  for (std::size_t k = 0; k < image.size(); ++k) {
    for (std::size_t i = 0; i < x.size(); ++i) image[k] += x[i] * a(k, i);
  }
  for (std::size_t k = 0; k < image.size(); ++k) {
    for (std::size_t i = 0; i < x.size(); ++i) y[i] += image[k] * a(k, i);
  }
}

// ||W||_2 from below, from the weights themselves and not from G.
double EstimateNormFromBelow(ConstMatrixView w, std::size_t steps, const StopCheck& stop) {
  const std::size_t p = std::min(w.rows, w.cols);
  const std::size_t q = std::max(w.rows, w.cols);
  const int exponent = ScaleExponent(w);
  const ScaledMatrix scaled{.w = w, .scale = std::ldexp(1.0, exponent)};
  std::vector<double> image(q);
  const SymmetricMap gram = [&](std::span<const double> x, std::span<double> y) {
    std::fill(image.begin(), image.end(), 0.0);
    std::fill(y.begin(), y.end(), 0.0);
    (w.rows <= w.cols ? ApplyWideGram : ApplyTallGram)(scaled, x, image, y);
  };
  const double eigenvalue = LargestEigenvalueEstimate(p, gram, steps, stop);
  // Minus the possible error of its own sums of p + q terms.
  const double rounding = static_cast<double>(p + q + 100) * kUnitRoundoff64;
  return std::ldexp(std::sqrt(eigenvalue * (1.0 - 4.0 * rounding)), -exponent);
}

bool IsAllZero(ConstMatrixView w) {
  return std::all_of(w.data, w.data + w.size(), [](float value) { return value == 0.0F; });
}

absl::Status CheckCost(ConstMatrixView w, const ProofLimits& limits) {
  const ProofCost cost = DenseProofCost(std::min(w.rows, w.cols), std::max(w.rows, w.cols));
  if (cost.IsWithin(limits)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the proof of the operator norm of a ", w.rows, " x ", w.cols, " matrix takes ",
                   DescribeCost(cost), ", expected at most ",
                   DescribeCost({limits.bytes, limits.flops}), "; make the layer narrower"));
}

}  // namespace

absl::StatusOr<double> SmallerOfAgreeingBounds(double by_factorisation, double by_gram_iteration) {
  constexpr double kAgreement = 1e-6;
  const auto [smaller, larger] = std::minmax(by_factorisation, by_gram_iteration);
  if (larger <= smaller * (1.0 + kAgreement)) return smaller;
  return absl::InternalError(absl::StrFormat(
      "factorisation proves an operator norm of at most %.17g, Gram iteration of at most %.17g; "
      "expected agreement to 1e-6: a bug or a fault of this machine",
      by_factorisation, by_gram_iteration));
}

absl::Status ProveOperatorNormAtMost(ConstMatrixView w, double claim, const ProofLimits& limits) {
  const ScopedStrictFloatingPoint strict;
  LIPSERVE_RETURN_IF_ERROR(CheckCost(w, limits));
  if (IsAllZero(w)) {
    if (claim >= 0.0) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrFormat("expected a claim >= 0, got %.17g", claim));
  }
  const double from_below = EstimateNormFromBelow(w, kLanczosStepsToCheck, limits.stop);
  if (limits.stop()) return StoppedError();
  if (!(claim >= from_below)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the operator norm is about %.17g or more, the claim is %.17g", from_below, claim));
  }
  const bool is_proven = ProvesNormAtMost(DenseNormProof(w, limits.stop), claim);
  if (limits.stop()) return StoppedError();  // first: what was stopped in between proves nothing
  if (is_proven) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "no factorisation proves an operator norm of at most %.17g; it is about %.17g or more", claim,
      from_below));
}

absl::StatusOr<double> BoundOperatorNorm(ConstMatrixView w, const ProofLimits& limits) {
  const ScopedStrictFloatingPoint strict;
  LIPSERVE_RETURN_IF_ERROR(CheckCost(w, limits));
  if (IsAllZero(w)) return 0.0;
  const DenseNormProof proof(w, limits.stop);
  const double from_below = EstimateNormFromBelow(w, kLanczosStepsToSearch, limits.stop);
  const double estimate = proof.EigenvalueOf(from_below);
  const std::optional<double> by_factorisation = SearchNormBound(proof, estimate, kTolerance);
  if (limits.stop()) return StoppedError();
  if (!by_factorisation) {
    return absl::InternalError(absl::StrFormat(
        "operator norm of a %d x %d matrix: no factorisation up to 8 times the estimate %g "
        "completed; the weights may be damaged",
        w.rows, w.cols, from_below));
  }
  LIPSERVE_ASSIGN_OR_RETURN(
      const double smaller,
      SmallerOfAgreeingBounds(*by_factorisation, proof.BoundByGram(estimate) * (1.0 + 0x1p-36)));
  if (!(smaller >= from_below && smaller <= from_below * (1.0 + 1e-3))) {
    return absl::InternalError(absl::StrFormat(
        "operator norm of a %d x %d matrix: the proof gives %.17g, the estimate from below is "
        "%.17g; expected agreement to 1e-3",
        w.rows, w.cols, smaller, from_below));
  }
  // The check at load is a factorisation, so a bound that a factorisation cannot prove is useless.
  return ProvesNormAtMost(proof, smaller) ? smaller : *by_factorisation;
}

}  // namespace lipserve
