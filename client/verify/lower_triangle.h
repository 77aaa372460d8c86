// SPDX-License-Identifier: Apache-2.0
#ifndef CLIENT_VERIFY_LOWER_TRIANGLE_H_
#define CLIENT_VERIFY_LOWER_TRIANGLE_H_

#include <gmpxx.h>

#include <cassert>
#include <cstddef>
#include <vector>

namespace lipserve::verify {

// The lower triangle of a square matrix; entry (i, j), j <= i, is at(i, j) * 2^exponent.
class LowerTriangle {
 public:
  LowerTriangle(std::size_t order, long exponent)
      : order_(order), exponent_(exponent), numbers_(order * (order + 1) / 2) {}

  std::size_t order() const { return order_; }
  long exponent() const { return exponent_; }
  mpz_class& at(std::size_t i, std::size_t j) { return numbers_[Index(i, j)]; }
  const mpz_class& at(std::size_t i, std::size_t j) const { return numbers_[Index(i, j)]; }

 private:
  std::size_t Index(std::size_t i, std::size_t j) const {
    assert(j <= i && i < order_);
    return i * (i + 1) / 2 + j;
  }

  std::size_t order_;
  long exponent_;
  std::vector<mpz_class> numbers_;
};

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_LOWER_TRIANGLE_H_
