// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it turns completed factorisations into proven norms.
//
// ||T||_2^2 is the largest eigenvalue of G = T^T T, or T T^T. If a Cholesky factorisation of c I -
// G runs to completion, that is at most c plus a slack that bounds every rounding
// (certificate/README.md, Lemma 3).
#ifndef MODEL_CERTIFICATE_NORM_PROOF_H_
#define MODEL_CERTIFICATE_NORM_PROOF_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "model/arithmetic/outward_rounding.h"

namespace lipserve {

// A way to prove upper bounds of the norm of one linear map T, scaled by a power of two to where
// nothing overflows or underflows.
class NormProof {
 public:
  // The scale is 2^exponent.
  explicit NormProof(int exponent) : exponent_(exponent) {}
  virtual ~NormProof() = default;
  NormProof(const NormProof&) = delete;
  NormProof& operator=(const NormProof&) = delete;

  // Guarantee: if true, the largest eigenvalue of the scaled G is at most c + Slack(c).
  // Requires:  finite c.
  virtual bool Completes(double c) const = 0;
  // Grows with c.
  virtual Upper Slack(double c) const = 0;

  // ||T||_2 of an eigenvalue of the scaled G, and back.
  double NormBoundOf(Upper eigenvalue) const;
  double EigenvalueOf(double norm) const;

 private:
  int exponent_;
};

// Whether one factorisation proves ||T||_2 <= claim. False proves nothing.
bool ProvesNormAtMost(const NormProof& proof, double claim);

// A bound that a search proves, from an estimate of the scaled G's largest eigenvalue from below.
// Relative to the smallest one that the method can prove, it is at most `tolerance` too large, and
// 2^-36, so that another machine proves it too.
//
// Guarantee: ProvesNormAtMost(proof, result); result >= (1 + 2^-36) ||T||_2.
// Errors:    nullopt if nothing is proven up to 8 times the estimate and the slack at 0.
std::optional<double> SearchNormBound(const NormProof& proof, double estimate, double tolerance);

// The part of Slack(c) for one factorisation of fl(c I - G), G a matrix with this diagonal and half
// bandwidth: rounding of the difference and of the factorisation, and underflow.
Upper FactorisationSlack(std::span<const double> diagonal, std::size_t half_bandwidth, double c);

// What a single proof may take, so that no model file can stall or exhaust a server that loads it.
struct ProofLimits {
  double bytes = 0x1p30;
  double flops = 4e11;  // of one factorisation: some 15 seconds of one AVX2 core
};

struct ProofCost {
  double bytes = 0.0;
  double flops = 0.0;

  bool IsWithin(const ProofLimits& limits) const {
    return bytes <= limits.bytes && flops <= limits.flops;
  }
};

// "512 MB and 3.1e+10 operations".
std::string DescribeCost(const ProofCost& cost);

// Of a dense proof of order p with inner products of length q.
ProofCost DenseProofCost(std::size_t p, std::size_t q);

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_NORM_PROOF_H_
