// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: that a factorisation completes is the proof.
#ifndef MODEL_CERTIFICATE_BANDED_CHOLESKY_H_
#define MODEL_CERTIFICATE_BANDED_CHOLESKY_H_

#include <cassert>
#include <cstddef>
#include <span>
#include <vector>

#include "model/foundation/stop_check.h"

namespace lipserve {

// A symmetric matrix whose entries further than `half_bandwidth` from the diagonal are zero; the
// upper triangle of the band is stored. A full matrix of order n has half_bandwidth n - 1.
class SymmetricBand {
 public:
  // All zero. Requires: half_bandwidth < order.
  SymmetricBand(std::size_t order, std::size_t half_bandwidth)
      : order_(order), half_bandwidth_(half_bandwidth), numbers_(order * (half_bandwidth + 1)) {
    assert(half_bandwidth < order);
  }

  std::size_t order() const { return order_; }
  std::size_t half_bandwidth() const { return half_bandwidth_; }

  // Requires: i <= j <= i + half_bandwidth.
  double& at(std::size_t i, std::size_t j) { return numbers_[Offset(i, j)]; }
  double at(std::size_t i, std::size_t j) const { return numbers_[Offset(i, j)]; }
  // The stored entries of row i, from the diagonal on. Those beyond the last column are unused.
  std::span<double> row(std::size_t i) {
    return std::span(numbers_).subspan(i * (half_bandwidth_ + 1), half_bandwidth_ + 1);
  }

  // Entry (i, j) is row(0)[i * stride() + j], so blocks are addressed like those of a dense matrix.
  std::size_t stride() const { return half_bandwidth_; }

  std::size_t bytes() const { return numbers_.size() * sizeof(double); }

 private:
  std::size_t Offset(std::size_t i, std::size_t j) const {
    assert(i <= j && j <= i + half_bandwidth_ && j < order_);
    return i * half_bandwidth_ + j;
  }

  std::size_t order_;
  std::size_t half_bandwidth_;
  std::vector<double> numbers_;  // [order, half_bandwidth + 1]
};

// Factorises B = R^T R in place, by the textbook recurrence in some order of summation.
//
// Guarantee: if true, R^T R = B + D with |D_ij| <= g sqrt(B_ii B_jj) within the band and D = 0
//            outside, g = gamma_k / (1 - gamma_k), k = half_bandwidth + 3, in float64 and barring
//            underflow (Higham 2002, Theorem 10.3 and (10.7), whose inner products have at most
//            half_bandwidth + 1 terms here).
// Errors:    false if a pivot is not positive or not finite, or once `stop` says so; `b` is then
//            garbage.
bool FactoriseCholesky(SymmetricBand& b, const StopCheck& stop = {});

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_BANDED_CHOLESKY_H_
