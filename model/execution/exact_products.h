// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it computes the numbers that decide a class where float64 cannot.
//
// Exact sums of products of float32 weights and integers of any size.
#ifndef MODEL_EXECUTION_EXACT_PRODUCTS_H_
#define MODEL_EXECUTION_EXACT_PRODUCTS_H_

#include <gmpxx.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lipserve {

// Two digits of an integer in base 2^60, of the integer's sign.
struct DigitPair {
  std::int64_t low = 0;
  std::int64_t high = 0;
};

// Integers as digits: number k is the sum over p of
//   (pairs(p)[k].low + 2^60 pairs(p)[k].high) 2^(120 p).
class DigitTable {
 public:
  explicit DigitTable(std::span<const mpz_class> numbers);

  std::size_t size() const { return size_; }
  // Pairs of digits that the largest number needs.
  std::size_t num_pairs() const { return pairs_.size(); }
  std::span<const DigitPair> pairs(std::size_t p) const { return pairs_[p]; }
  bool IsZero(std::size_t k) const { return is_zero_[k]; }

 private:
  std::size_t size_;
  std::vector<std::vector<DigitPair>> pairs_;
  std::vector<bool> is_zero_;
};

// What one output of a linear map reads: the numbers of a table that are not zero, each with the
// place of its weight.
class ProductOperand {
 public:
  void Clear(const DigitTable& table);
  // Reads number `source` through weight `tap`.
  void Add(const DigitTable& table, std::uint32_t tap, std::size_t source);

  std::size_t size() const { return taps_.size(); }
  std::span<const std::uint32_t> taps() const { return taps_; }
  std::size_t num_pairs() const { return pairs_.size(); }
  std::span<const DigitPair> pairs(std::size_t p) const { return pairs_[p]; }

 private:
  std::vector<std::uint32_t> taps_;
  std::vector<std::vector<DigitPair>> pairs_;
};

// The weights of a linear map, and products with them. Keeps no copy of the weights: each is turned
// into integers where it is used.
//
// Threads: immutable.
class ExactProducts {
 public:
  // Requires: `weights` are finite and outlive the object.
  explicit ExactProducts(std::span<const float> weights);

  // Sums are in multiples of 2^exponent() times the unit of the numbers.
  int exponent() const { return exponent_; }

  // The sum of weights[first + tap] * number over the operand.
  //
  // Requires: at most 2^22 numbers.
  mpz_class Sum(std::size_t first, const ProductOperand& operand) const;

 private:
  std::span<const float> weights_;
  double scale_ = 1.0;      // every weight times this is below 2^43
  std::size_t planes_ = 1;  // integers of 43 bits that hold any weight: see Sum
  int exponent_ = 0;
};

}  // namespace lipserve

#endif  // MODEL_EXECUTION_EXACT_PRODUCTS_H_
