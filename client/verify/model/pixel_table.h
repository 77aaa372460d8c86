// SPDX-License-Identifier: Apache-2.0
// Trusted: says which real number a UINT8 pixel stands for. No floating point.
#ifndef CLIENT_VERIFY_MODEL_PIXEL_TABLE_H_
#define CLIENT_VERIFY_MODEL_PIXEL_TABLE_H_

#include <gmpxx.h>

#include <string>

#include "absl/status/statusor.h"
#include "client/verify/exact/exact_number.h"

namespace lipserve::verify {

// Pixel p stands for T[p], the binary32 number nearest to p / divisor.
//
// Guarantee: ||T(p) - T(q)||_2 <= steepest_step() * ||p - q||_2 for all pixel vectors p, q, and no
//            smaller factor will do.
class PixelTable {
 public:
  // Errors: InvalidArgument if the divisor is not from 2^-60 to 2^60.
  static absl::StatusOr<PixelTable> Create(const mpq_class& divisor);

  // T of each byte.
  ExactVector Apply(const std::string& pixels) const;

  // max_k T[k+1] - T[k].
  const mpq_class& steepest_step() const { return steepest_step_; }

 private:
  PixelTable() = default;

  ExactVector values_;  // 256 of them
  mpq_class steepest_step_;
};

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_MODEL_PIXEL_TABLE_H_
