// SPDX-License-Identifier: Apache-2.0
#include "client/verify/cholesky_witness.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace lipserve::verify {
namespace {

constexpr int kWitnessBits = 60;

// An even e with every diagonal number of b at most 2^e.
long EvenSize(const LowerTriangle& b) {
  std::size_t bits = 0;
  for (std::size_t i = 0; i < b.order(); ++i) {
    bits = std::max(bits, mpz_sizeinbase(b.at(i, i).get_mpz_t(), 2));
  }
  return static_cast<long>(bits + bits % 2);
}

double ToDouble(const mpz_class& number, long exponent) {
  long binary_exponent = 0;
  const double fraction = mpz_get_d_2exp(&binary_exponent, number.get_mpz_t());
  return std::ldexp(fraction, static_cast<int>(binary_exponent + exponent));
}

// Replaces the symmetric matrix a, [order, order], by its Cholesky factor, row by row.
bool Factorise(std::vector<double>& a, std::size_t order) {
  for (std::size_t i = 0; i < order; ++i) {
    double* const row = a.data() + i * order;
    for (std::size_t j = 0; j <= i; ++j) {
      const double* const other = a.data() + j * order;
      double rest = row[j];
      for (std::size_t k = 0; k < j; ++k) rest -= row[k] * other[k];
      if (j < i) {
        row[j] = rest / other[j];
      } else if (rest > 0.0 && std::isfinite(rest)) {
        row[j] = std::sqrt(rest);
      } else {
        return false;
      }
    }
  }
  return true;
}

}  // namespace

std::optional<LowerTriangle> CholeskyWitness(const LowerTriangle& b) {
  const std::size_t order = b.order();
  // The shift and the exponent of R must be whole: 2^(size + b.exponent()) is a square.
  const long size = EvenSize(b) + (b.exponent() % 2 == 0 ? 0 : 1);
  std::vector<double> a(order * order);
  for (std::size_t i = 0; i < order; ++i) {
    for (std::size_t j = 0; j <= i; ++j) a[i * order + j] = ToDouble(b.at(i, j), -size);
  }
  if (!Factorise(a, order)) return std::nullopt;
  LowerTriangle r(order, (size + b.exponent()) / 2 - kWitnessBits);
  for (std::size_t i = 0; i < order; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      const double entry = a[i * order + j];
      if (!(std::fabs(entry) <= 1.5)) return std::nullopt;
      r.at(i, j) = std::lround(std::ldexp(entry, kWitnessBits));
    }
  }
  return r;
}

}  // namespace lipserve::verify
