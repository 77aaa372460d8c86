// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/random_orthogonal.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

namespace lipserve::trainer {
namespace {

// Uniform in [-1, 1), a multiple of 2^-52.
double SignedUniform(std::mt19937_64& random) {
  return static_cast<double>(random() >> 11) * 0x1p-52 - 1.0;
}

// Natural logarithm for 0 < x, to a few units in the last place: x = m 2^e with m near 1, and
// ln m = 2 atanh z by its series, where z = (m - 1) / (m + 1) and |z| < 0.172.
double NaturalLogarithm(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < 1.0 / std::numbers::sqrt2) {
    mantissa *= 2.0;
    --exponent;
  }
  const double z = (mantissa - 1.0) / (mantissa + 1.0);
  const double z2 = z * z;
  double series = 0.0;
  for (int k = 21; k >= 1; k -= 2) series = series * z2 + 1.0 / k;
  return exponent * std::numbers::ln2 + 2.0 * z * series;
}

double InnerProduct64(std::span<const double> a, std::span<const double> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Makes `row` orthogonal to the unit vectors in `basis`. One pass is not enough where the row is
// nearly in their span; two always are (Giraud, Langou, Rozloznik 2005).
void OrthogonaliseTwice(std::span<const double> basis, std::span<double> row) {
  const std::size_t length = row.size();
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t begin = 0; begin < basis.size(); begin += length) {
      const std::span<const double> unit = basis.subspan(begin, length);
      const double share = InnerProduct64(unit, row);
      for (std::size_t i = 0; i < length; ++i) row[i] -= share * unit[i];
    }
  }
}

}  // namespace

double StandardNormal(std::mt19937_64& random) {
  for (;;) {
    const double a = SignedUniform(random);
    const double b = SignedUniform(random);
    const double s = a * a + b * b;
    // The pair's second number, b * scale, is left unused: callers need no hidden state.
    if (s > 0.0 && s < 1.0) return a * std::sqrt(-2.0 * NaturalLogarithm(s) / s);
  }
}

std::vector<float> RandomOrthogonal(std::size_t rows, std::size_t cols, std::mt19937_64& random) {
  const std::size_t count = std::min(rows, cols);
  const std::size_t length = std::max(rows, cols);
  std::vector<double> vectors(count * length);
  const std::span<double> all{vectors};
  for (std::size_t v = 0; v < count; ++v) {
    const std::span<double> row = all.subspan(v * length, length);
    double norm = 0.0;
    while (norm == 0.0) {
      for (double& value : row) value = StandardNormal(random);
      OrthogonaliseTwice(all.first(v * length), row);
      norm = std::sqrt(InnerProduct64(row, row));
    }
    for (double& value : row) value /= norm;
  }
  std::vector<float> matrix(rows * cols);
  for (std::size_t v = 0; v < count; ++v) {
    for (std::size_t i = 0; i < length; ++i) {
      matrix[rows <= cols ? v * length + i : i * cols + v] =
          static_cast<float>(vectors[v * length + i]);
    }
  }
  return matrix;
}

}  // namespace lipserve::trainer
