// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/norm_proof.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"

namespace lipserve {
namespace {

// What underflow can add in a factorisation of numbers below 2^100 and at most 2^22 rows. Of
// numbers near 1 it is nothing beside the roundings.
constexpr double kCholeskyUnderflow = 0x1p-900;
// A claim is slightly above the smallest provable bound, so that another machine proves it too.
constexpr double kClaimSlack = 0x1p-36;

// The smallest c, up to `tolerance`, at which a search sees the factorisation complete.
std::optional<double> SmallestProvable(const NormProof& proof, double estimate, double tolerance) {
  double low = estimate;
  double high = estimate;
  bool completes = false;
  double step = tolerance / 16.0;
  while (step < 8.0 && !completes) {
    low = high;
    high = estimate * (1.0 + step);
    completes = proof.Completes(high);
    step *= 8.0;
  }
  if (!completes) return std::nullopt;
  while (high - low > tolerance * estimate) {
    const double middle = 0.5 * (low + high);
    (proof.Completes(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace

double NormProof::NormBoundOf(Upper eigenvalue) const {
  return std::ldexp(SqrtUp(eigenvalue).value(), -exponent_);
}

double NormProof::EigenvalueOf(double norm) const {
  const double scaled = std::ldexp(norm, exponent_);
  return scaled * scaled;
}

bool ProvesNormAtMost(const NormProof& proof, double claim) {
  if (!(claim > 0.0) || claim > std::numeric_limits<double>::max()) return false;
  const double target = proof.EigenvalueOf(claim);
  // The slack grows with c, so the one at the target covers every smaller c; 2^-49 covers the
  // roundings of these lines and of the square root. The last line decides in any case; as long as
  // the slack grows with c, it finds what this one has left room for.
  const double c = target * (1.0 - 0x1p-49) - proof.Slack(target).value();
  if (!(c > 0.0) || c > std::numeric_limits<double>::max() || !proof.Completes(c)) return false;
  return proof.NormBoundOf(Upper(c) + proof.Slack(c)) <= claim;
}

std::optional<double> SearchNormBound(const NormProof& proof, double estimate, double tolerance) {
  // Nothing can be proven below the slack. Taps that cancel each other can make the map 0.
  const double start = std::max(estimate, proof.Slack(0.0).value());
  const std::optional<double> c = SmallestProvable(proof, start, tolerance);
  if (!c) return std::nullopt;
  double bound = proof.NormBoundOf(Upper(*c) + proof.Slack(*c));
  constexpr int kAttempts = 8;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    bound *= 1.0 + kClaimSlack;
    if (ProvesNormAtMost(proof, bound)) return bound;
  }
  return std::nullopt;
}

Upper FactorisationSlack(std::span<const double> diagonal, std::size_t half_bandwidth, double c) {
  Upper trace;
  Upper largest;
  for (const double entry : diagonal) {
    const Upper difference(std::max(c - entry, 0.0));
    trace = trace + difference;
    largest = Max(largest, difference);
  }
  const auto band = static_cast<double>(half_bandwidth);
  const Upper gamma = Gamma(band + 3.0, kUnitRoundoff64);
  const Upper g = DivideUp(gamma, 1.0 - 2.0 * gamma.value());
  const Upper by_trace = g * trace;
  const Upper by_row = g * Upper(2.0 * band + 1.0) * largest;
  return Upper(kUnitRoundoff64) * largest +
         (by_trace.value() < by_row.value() ? by_trace : by_row) + Upper(kCholeskyUnderflow);
}

absl::Status StoppedError() { return absl::CancelledError("stopped before the model was proven"); }

std::string DescribeCost(const ProofCost& cost) {
  return absl::StrFormat("%.0f MB and %.1e operations", cost.bytes * 1e-6, cost.flops);
}

ProofCost DenseProofCost(std::size_t p, std::size_t q) {
  const auto order = static_cast<double>(p);
  const auto length = static_cast<double>(q);
  return {.bytes = 8.0 * order * (2.0 * order + length),
          .flops = order * order * (order / 3.0 + 2.0 * length)};
}

}  // namespace lipserve
