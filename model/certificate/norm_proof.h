// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it turns completed factorisations into proven norms.
//
// ||T||_2^2 is the largest eigenvalue of G = T^T T, or T T^T. If a Cholesky factorisation of c I -
// G runs to completion, that eigenvalue is at most c plus a slack that bounds every rounding
// (certificate/README.md, Lemma 3).
#ifndef MODEL_CERTIFICATE_NORM_PROOF_H_
#define MODEL_CERTIFICATE_NORM_PROOF_H_

#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "model/arithmetic/outward_rounding.h"
#include "model/foundation/stop_check.h"

namespace lipserve {

// Proves upper bounds of the norm of one linear map T. T is scaled by a power of two so that
// nothing overflows or underflows.
class NormProof {
 public:
  // The scale is 2^exponent. Once `stop` says so, Completes is false.
  explicit NormProof(int exponent, StopCheck stop = {})
      : exponent_(exponent), stop_(std::move(stop)) {}
  virtual ~NormProof() = default;
  NormProof(const NormProof&) = delete;
  NormProof& operator=(const NormProof&) = delete;

  // Guarantee: if true, the largest eigenvalue of the scaled G is at most c + Slack(c).
  // Requires:  finite c.
  virtual bool Completes(double c) const = 0;
  // Grows with c.
  virtual Upper Slack(double c) const = 0;

  // Convert an eigenvalue of the scaled G to ||T||_2, and back.
  double NormBoundOf(Upper eigenvalue) const;
  double EigenvalueOf(double norm) const;

 protected:
  // What T is scaled by.
  double scale() const { return std::ldexp(1.0, exponent_); }
  const StopCheck& stop() const { return stop_; }

 private:
  int exponent_;
  StopCheck stop_;
};

// Whether one factorisation proves ||T||_2 <= claim. False proves nothing.
bool ProvesNormAtMost(const NormProof& proof, double claim);

// Searches for the smallest bound that the method can prove. `estimate` is an estimate from below
// of the scaled G's largest eigenvalue. The result is above the smallest provable bound by at most
// `tolerance` and 2^-36, both relative. The 2^-36 is there so that another machine proves it too.
//
// Guarantee: ProvesNormAtMost(proof, result); result >= (1 + 2^-36) ||T||_2.
// Errors:    nullopt if nothing is proven up to 8 times the estimate and the slack at 0.
std::optional<double> SearchNormBound(const NormProof& proof, double estimate, double tolerance);

// The part of Slack(c) for one factorisation of fl(c I - G), G a matrix with this diagonal and half
// bandwidth: rounding of the difference and of the factorisation, and underflow.
Upper FactorisationSlack(std::span<const double> diagonal, std::size_t half_bandwidth, double c);

// What a single proof may cost; LoadingCost (loading_cost.h) is that of a whole model. The method
// of a proof depends on these numbers and the layer alone. Only tests change them.
struct ProofLimits {
  double bytes = 0x1p30;
  double flops = 4e11;  // of one factorisation: some 15 seconds of one AVX2 core
  StopCheck stop = {};  // makes a proof fail with Cancelled
};

struct ProofCost {
  double bytes = 0.0;
  double flops = 0.0;

  bool IsWithin(const ProofLimits& limits) const {
    return bytes <= limits.bytes && flops <= limits.flops;
  }
};

// Why a proof is not finished.
absl::Status StoppedError();

// "512 MB and 3.1e+10 operations".
std::string DescribeCost(const ProofCost& cost);

// The cost of a dense proof of order p with inner products of length q.
ProofCost DenseProofCost(std::size_t p, std::size_t q);

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_NORM_PROOF_H_
