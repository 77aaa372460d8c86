// SPDX-License-Identifier: Apache-2.0
#include "client/verify/norms/eigenvalue_proof.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "client/verify/exact/wide_product.h"

namespace lipserve::verify {
namespace {

// How far below the limit to try c, as limit * (1 - 2^-bits). Freezing leaves a little more than
// 2^-35 between ||W||_2^2 and L^2: half of it is for c I - G to be positive definite, half for E.
constexpr unsigned kGapBits[] = {36, 40, 33};
// Of at most kMaxRow products of such numbers the sum is at most 2^(2 * 55 + 16).
constexpr std::int64_t kMaxNumber = std::int64_t{1} << 55;

bool HasSmallNumbers(const Witness& witness) {
  for (std::size_t i = 0; i < witness.r.order(); ++i) {
    const std::span<const std::int64_t> row = witness.r.row(i);
    if (row.size() > kMaxRow) return false;
    for (const std::int64_t number : row) {
      if (number < -kMaxNumber || number > kMaxNumber) return false;
    }
  }
  return true;
}

// The number (i, j) of R R^T, j <= i.
//
// Requires: HasSmallNumbers.
Int128 ProductOfRows(const Envelope<std::int64_t>& r, std::size_t i, std::size_t j) {
  const std::size_t begin = std::max(r.first(i), r.first(j));
  return WideProduct(&r.row(i)[begin - r.first(i)], &r.row(j)[begin - r.first(j)], j + 1 - begin);
}

// ||B - R R^T||_F^2. Outside the rows of their common envelope both are zero.
//
// Requires: HasSmallNumbers; equal envelopes.
mpq_class SquaredDistance(const ShiftedGram& b, const Witness& witness) {
  const long exponent = std::min(b.exponent(), 2 * witness.exponent);
  const auto b_shift = static_cast<mp_bitcnt_t>(b.exponent() - exponent);
  const auto r_shift = static_cast<mp_bitcnt_t>(2 * witness.exponent - exponent);
  std::vector<mpz_class> row;
  mpz_class product;
  mpz_class off_diagonal;  // sum of squares
  mpz_class diagonal;
  for (std::size_t i = 0; i < b.order(); ++i) {
    b.GetRow(i, row);
    for (std::size_t j = b.first(i); j <= i; ++j) {
      mpz_class& difference = row[j - b.first(i)];
      mpz_mul_2exp(difference.get_mpz_t(), difference.get_mpz_t(), b_shift);
      Assign(ProductOfRows(witness.r, i, j), product);
      mpz_mul_2exp(product.get_mpz_t(), product.get_mpz_t(), r_shift);
      difference -= product;
      mpz_class& sum = i == j ? diagonal : off_diagonal;
      mpz_addmul(sum.get_mpz_t(), difference.get_mpz_t(), difference.get_mpz_t());
    }
  }
  return ToRational(mpz_class(diagonal + 2 * off_diagonal), 2 * exponent);
}

// Looks for a witness with c = limit * (1 - 2^-gap_bits).
bool ProvesAtGap(const GramMatrix& gram, const Dyadic& limit, unsigned gap_bits) {
  const mpz_class factor = (mpz_class(1) << gap_bits) - 1;
  const Dyadic c{.number = limit.number * factor,
                 .exponent = limit.exponent - static_cast<long>(gap_bits)};
  const std::optional<Witness> witness = CholeskyWitness(ShiftedGram(c, gram), c);
  return witness && WitnessProves(gram, limit, c, *witness);
}

}  // namespace

bool WitnessProves(const GramMatrix& gram, const Dyadic& limit, const Dyadic& c,
                   const Witness& witness) {
  if (witness.r.order() != gram.order() || !HasSmallNumbers(witness)) return false;
  for (std::size_t i = 0; i < gram.order(); ++i) {
    if (witness.r.first(i) != gram.first(i)) return false;
  }
  const mpq_class gap = ToRational(limit) - ToRational(c);
  return gap >= 0 && SquaredDistance(ShiftedGram(c, gram), witness) <= gap * gap;
}

BoundVerdict ExamineEigenvalues(const GramMatrix& gram, const Dyadic& limit) {
  const mpq_class limit_value = ToRational(limit);
  std::vector<mpz_class> row;
  mpz_class squares;  // ||G||_F^2
  for (std::size_t i = 0; i < gram.order(); ++i) {
    gram.GetRow(i, row);
    if (ToRational(row.back(), gram.exponent()) > limit_value) return BoundVerdict::kFalse;
    for (const mpz_class& number : row) {
      const mpz_class square = number * number;
      squares += &number == &row.back() ? square : mpz_class(2 * square);
    }
  }
  // The proof with c = 0 and R = 0 decides single numbers, zero matrices and generous claims.
  if (ToRational(squares, 2 * gram.exponent()) <= limit_value * limit_value) {
    return BoundVerdict::kProven;
  }
  for (const unsigned gap_bits : kGapBits) {
    if (ProvesAtGap(gram, limit, gap_bits)) return BoundVerdict::kProven;
  }
  return BoundVerdict::kNotConfirmed;
}

}  // namespace lipserve::verify
