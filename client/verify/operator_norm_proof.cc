// SPDX-License-Identifier: Apache-2.0
#include "client/verify/operator_norm_proof.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <optional>
#include <utility>

#include "client/verify/cholesky_witness.h"
#include "client/verify/lower_triangle.h"

namespace lipserve::verify {
namespace {

// How far below L^2 to try c, as L^2 * (1 - 2^-bits). Freezing leaves a little more than 2^-35
// between ||W||_2^2 and L^2: half of it is for c I - G to be positive definite, half for E.
constexpr unsigned kGapBits[] = {36, 40, 33};

// The lower triangle of A A^T, A = W or W^T with the fewer rows.
LowerTriangle GramOf(const Dense& dense) {
  const bool by_rows = dense.outputs <= dense.inputs;
  const std::size_t rows = by_rows ? dense.outputs : dense.inputs;
  const std::size_t columns = by_rows ? dense.inputs : dense.outputs;
  const auto entry = [&](std::size_t i, std::size_t k) {
    return dense.weights.numbers[by_rows ? i * dense.inputs + k : k * dense.inputs + i].get_mpz_t();
  };
  LowerTriangle gram(rows, 2 * dense.weights.exponent);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      mpz_class& sum = gram.at(i, j);
      for (std::size_t k = 0; k < columns; ++k) {
        mpz_addmul(sum.get_mpz_t(), entry(i, k), entry(j, k));
      }
    }
  }
  return gram;
}

// c I - matrix.
LowerTriangle SubtractedFromMultipleOfIdentity(const Dyadic& c, const LowerTriangle& matrix) {
  LowerTriangle result(matrix.order(), std::min(c.exponent, matrix.exponent()));
  for (std::size_t i = 0; i < matrix.order(); ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      result.at(i, j) = -AtExponent(matrix.at(i, j), matrix.exponent(), result.exponent());
    }
    result.at(i, i) += AtExponent(c.number, c.exponent, result.exponent());
  }
  return result;
}

// ||B - R R^T||_F^2 of the symmetric matrix B whose lower triangle is `b`.
mpq_class SquaredDistance(const LowerTriangle& b, const LowerTriangle& r) {
  assert(b.order() == r.order());
  const long exponent = std::min(b.exponent(), 2 * r.exponent());
  mpz_class squares;
  for (std::size_t i = 0; i < b.order(); ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      mpz_class product;
      for (std::size_t k = 0; k <= j; ++k) {
        mpz_addmul(product.get_mpz_t(), r.at(i, k).get_mpz_t(), r.at(j, k).get_mpz_t());
      }
      const mpz_class difference = AtExponent(b.at(i, j), b.exponent(), exponent) -
                                   AtExponent(product, 2 * r.exponent(), exponent);
      const unsigned long times = i == j ? 1 : 2;  // (i, j) and (j, i)
      squares += times * difference * difference;
    }
  }
  return ToRational(squares, 2 * exponent);
}

// Looks for a witness with c = limit * (1 - 2^-gap_bits).
bool ProvesAtGap(const LowerTriangle& gram, const Dyadic& limit, unsigned gap_bits) {
  const mpz_class factor = (mpz_class(1) << gap_bits) - 1;
  const Dyadic c{.number = limit.number * factor,
                 .exponent = limit.exponent - static_cast<long>(gap_bits)};
  const std::optional<LowerTriangle> r = CholeskyWitness(SubtractedFromMultipleOfIdentity(c, gram));
  return r && r->order() == gram.order() && WitnessProves(gram, limit, c, *r);
}

}  // namespace

bool WitnessProves(const LowerTriangle& gram, const Dyadic& limit, const Dyadic& c,
                   const LowerTriangle& r) {
  const mpq_class gap = ToRational(limit) - ToRational(c);
  return gap >= 0 && SquaredDistance(SubtractedFromMultipleOfIdentity(c, gram), r) <= gap * gap;
}

NormVerdict ExamineNormClaim(const Dense& dense) {
  const Dyadic limit{.number = dense.claimed_norm.number * dense.claimed_norm.number,
                     .exponent = 2 * dense.claimed_norm.exponent};
  const mpq_class limit_value = ToRational(limit);
  const LowerTriangle gram = GramOf(dense);
  mpz_class trace;
  for (std::size_t i = 0; i < gram.order(); ++i) {
    if (ToRational(gram.at(i, i), gram.exponent()) > limit_value) return NormVerdict::kFalse;
    trace += gram.at(i, i);
  }
  // lambda_max(G) <= trace(G): decides single rows, zero matrices and generous claims.
  if (ToRational(trace, gram.exponent()) <= limit_value) return NormVerdict::kProven;
  for (const unsigned gap_bits : kGapBits) {
    if (ProvesAtGap(gram, limit, gap_bits)) return NormVerdict::kProven;
  }
  return NormVerdict::kNotConfirmed;
}

}  // namespace lipserve::verify
