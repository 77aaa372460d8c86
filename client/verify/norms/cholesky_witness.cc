// SPDX-License-Identifier: Apache-2.0
#include "client/verify/norms/cholesky_witness.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace lipserve::verify {
namespace {

constexpr int kWitnessBits = 54;

double ToDouble(const mpz_class& number, long exponent) {
  long binary_exponent = 0;
  const double fraction = mpz_get_d_2exp(&binary_exponent, number.get_mpz_t());
  return std::ldexp(fraction, static_cast<int>(binary_exponent + exponent));
}

// Several independent sums, so that additions overlap in the processor's pipeline.
double Dot(const double* a, const double* b, std::size_t size) {
  constexpr std::size_t kLanes = 8;
  double sums[kLanes] = {};
  std::size_t k = 0;
  for (; k + kLanes <= size; k += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[k + lane] * b[k + lane];
  }
  double rest = 0.0;
  for (; k < size; ++k) rest += a[k] * b[k];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7])) +
         rest;
}

// Replaces the lower triangle of a symmetric matrix by its Cholesky factor, row by row.
bool Factorise(Envelope<double>& a) {
  for (std::size_t i = 0; i < a.order(); ++i) {
    const std::span<double> row = a.row(i);
    for (std::size_t j = a.first(i); j <= i; ++j) {
      const std::span<const double> other = a.row(j);
      const std::size_t begin = std::max(a.first(i), a.first(j));
      double& number = row[j - a.first(i)];
      number -=
          Dot(row.data() + (begin - a.first(i)), other.data() + (begin - a.first(j)), j - begin);
      if (j < i) {
        number /= other.back();
      } else if (number > 0.0 && std::isfinite(number)) {
        number = std::sqrt(number);
      } else {
        return false;
      }
    }
  }
  return true;
}

std::vector<std::size_t> FirstColumns(const ShiftedGram& b) {
  std::vector<std::size_t> first;
  first.reserve(b.order());
  for (std::size_t i = 0; i < b.order(); ++i) first.push_back(b.first(i));
  return first;
}

}  // namespace

std::optional<Witness> CholeskyWitness(const ShiftedGram& b, const Dyadic& c) {
  // An even number with c < 2^size, so that no number on the diagonal of B is larger.
  const auto bits = static_cast<long>(mpz_sizeinbase(c.number.get_mpz_t(), 2));
  const long size = 2 * ((bits + c.exponent + 1) / 2 + 1);
  Envelope<double> factor(FirstColumns(b));
  std::vector<mpz_class> numbers;
  for (std::size_t i = 0; i < b.order(); ++i) {
    b.GetRow(i, numbers);
    const std::span<double> row = factor.row(i);
    for (std::size_t k = 0; k < row.size(); ++k) {
      row[k] = ToDouble(numbers[k], b.exponent() - size);
    }
  }
  if (!Factorise(factor)) return std::nullopt;
  Witness witness{.r = Envelope<std::int64_t>(FirstColumns(b)),
                  .exponent = size / 2 - kWitnessBits};
  for (std::size_t i = 0; i < b.order(); ++i) {
    const std::span<const double> row = factor.row(i);
    for (std::size_t k = 0; k < row.size(); ++k) {
      if (!(std::fabs(row[k]) <= 1.0)) return std::nullopt;
      witness.r.row(i)[k] = std::lround(std::ldexp(row[k], kWitnessBits));
    }
  }
  return witness;
}

}  // namespace lipserve::verify
