// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_products.h"

#include <gmp.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>

namespace lipserve {
namespace {

__extension__ using Int128 = __int128;

// Digits of numbers, and planes of weights: 2^22 products of the two stay below 2^125.
constexpr int kDigitBits = 60;
constexpr int kPlaneBits = 43;
constexpr double kPlaneUnit = 0x1p43;
// A float32 has 277 powers of two from its largest bit to the last.
constexpr std::size_t kMaxPlanes = 8;
constexpr int kFractionBits = 24;

static_assert(GMP_NUMB_BITS == 64, "digits are read from limbs of 64 bits");

// Bits [first, first + kDigitBits) of a magnitude.
std::int64_t DigitAt(const mpz_class& number, std::size_t first) {
  const auto limb = first / 64;
  const auto offset = static_cast<unsigned>(first % 64);
  // mpz_getlimbn is 0 beyond the last limb.
  const auto index = static_cast<mp_size_t>(limb);
  std::uint64_t bits = mpz_getlimbn(number.get_mpz_t(), index) >> offset;
  if (offset > 0) bits |= mpz_getlimbn(number.get_mpz_t(), index + 1) << (64 - offset);
  return static_cast<std::int64_t>(bits & ((std::uint64_t{1} << kDigitBits) - 1));
}

mpz_class ToInteger(Int128 value) {
  __extension__ using Uint128 = unsigned __int128;
  const bool is_negative = value < 0;
  const auto magnitude =
      is_negative ? Uint128{0} - static_cast<Uint128>(value) : static_cast<Uint128>(value);
  mpz_class result(static_cast<unsigned long>(magnitude >> 64));
  result <<= 64;
  result += static_cast<unsigned long>(magnitude);
  if (is_negative) mpz_neg(result.get_mpz_t(), result.get_mpz_t());
  return result;
}

struct PairSum {
  Int128 low = 0;
  Int128 high = 0;

  void Add(std::int64_t weight, const DigitPair& number) {
    low += static_cast<Int128>(weight) * number.low;
    high += static_cast<Int128>(weight) * number.high;
  }
};

using PlaneSums = std::array<PairSum, kMaxPlanes>;

// A weight times `scale` is w_0 + w_1 2^-43 + w_2 2^-86 + ..., each w_p an integer of at most 43
// bits and the weight's sign. Every step is exact in float64: a float32 has 24 bits, and what
// truncation leaves are some of them. Adds w_p times the numbers to sums[p].
void AddProducts(const float* weights, double scale, std::span<const std::uint32_t> taps,
                 const DigitPair* numbers, PlaneSums& sums) {
  PairSum first_plane;
  for (std::size_t k = 0; k < taps.size(); ++k) {
    const double weight = static_cast<double>(weights[taps[k]]) * scale;
    const auto integer = static_cast<std::int64_t>(weight);
    first_plane.Add(integer, numbers[k]);
    double rest = weight - static_cast<double>(integer);
    for (std::size_t plane = 1; rest != 0.0; ++plane) {
      rest *= kPlaneUnit;
      const auto next = static_cast<std::int64_t>(rest);
      sums.at(plane).Add(next, numbers[k]);
      rest -= static_cast<double>(next);
    }
  }
  sums[0] = first_plane;
}

}  // namespace

DigitTable::DigitTable(std::span<const mpz_class> numbers) : size_(numbers.size()) {
  std::size_t largest = 0;
  for (const mpz_class& number : numbers) {
    is_zero_.push_back(sgn(number) == 0);
    largest = std::max(largest, mpz_sizeinbase(number.get_mpz_t(), 2));
  }
  pairs_.resize((largest + 2 * kDigitBits - 1) / (2 * kDigitBits));
  for (std::size_t p = 0; p < pairs_.size(); ++p) {
    pairs_[p].reserve(size_);
    for (const mpz_class& number : numbers) {
      const std::size_t first = 2 * kDigitBits * p;
      const std::int64_t sign = sgn(number) < 0 ? -1 : 1;
      pairs_[p].push_back({.low = sign * DigitAt(number, first),
                           .high = sign * DigitAt(number, first + kDigitBits)});
    }
  }
}

void ProductOperand::Clear(const DigitTable& table) {
  taps_.clear();
  pairs_.resize(table.num_pairs());
  for (auto& pairs : pairs_) pairs.clear();
}

void ProductOperand::Add(const DigitTable& table, std::uint32_t tap, std::size_t source) {
  if (table.IsZero(source)) return;
  taps_.push_back(tap);
  for (std::size_t p = 0; p < pairs_.size(); ++p) pairs_[p].push_back(table.pairs(p)[source]);
}

ExactProducts::ExactProducts(std::span<const float> weights) : weights_(weights) {
  int largest = std::numeric_limits<int>::min();
  int least = std::numeric_limits<int>::max();
  for (const float weight : weights) {
    if (weight == 0.0F) continue;
    int exponent = 0;
    std::frexp(weight, &exponent);
    largest = std::max(largest, exponent);
    least = std::min(least, exponent - kFractionBits);
  }
  if (largest == std::numeric_limits<int>::min()) return;  // all zero
  // The unit of plane p is 2^(largest - kPlaneBits (p + 1)).
  scale_ = std::ldexp(1.0, kPlaneBits - largest);
  planes_ = static_cast<std::size_t>((largest - least + kPlaneBits - 1) / kPlaneBits);
  assert(planes_ <= kMaxPlanes);
  exponent_ = largest - kPlaneBits * static_cast<int>(planes_);
}

mpz_class ExactProducts::Sum(std::size_t first, const ProductOperand& operand) const {
  assert(operand.size() <= (std::size_t{1} << 22U));
  mpz_class sum;
  for (std::size_t p = 0; p < operand.num_pairs(); ++p) {
    PlaneSums sums;
    AddProducts(weights_.data() + first, scale_, operand.taps(), operand.pairs(p).data(), sums);
    for (std::size_t plane = 0; plane < planes_; ++plane) {
      const auto shift =
          static_cast<unsigned>(2 * kDigitBits * p + kPlaneBits * (planes_ - 1 - plane));
      const PairSum& of_plane = sums[plane];
      if (of_plane.low != 0) sum += ToInteger(of_plane.low) << shift;
      if (of_plane.high != 0) sum += ToInteger(of_plane.high) << (shift + kDigitBits);
    }
  }
  return sum;
}

}  // namespace lipserve
