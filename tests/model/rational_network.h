// SPDX-License-Identifier: Apache-2.0
// Frozen networks in rational numbers: exact, but for the roots of L2-norm pools, which are rounded
// down to multiples of 2^-2048 as the exact stage's are.
#ifndef TESTS_MODEL_RATIONAL_NETWORK_H_
#define TESTS_MODEL_RATIONAL_NETWORK_H_

#include <gmpxx.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <variant>
#include <vector>

#include "model/network/frozen_network.h"
#include "tests/model/layer_definition.h"

namespace lipserve {

// A rational number as a type without expression templates.
class Rational {
 public:
  Rational() = default;
  Rational(int value) : value_(value) {}  // NOLINT: as a number would
  explicit Rational(float value) : value_(static_cast<double>(value)) {}
  explicit Rational(mpq_class value) : value_(std::move(value)) {}

  const mpq_class& value() const { return value_; }

  Rational& operator+=(const Rational& b) { return value_ += b.value_, *this; }
  Rational& operator-=(const Rational& b) { return value_ -= b.value_, *this; }
  Rational& operator*=(const Rational& b) { return value_ *= b.value_, *this; }
  friend Rational operator+(Rational a, const Rational& b) { return a += b; }
  friend Rational operator-(Rational a, const Rational& b) { return a -= b; }
  friend Rational operator*(Rational a, const Rational& b) { return a *= b; }
  friend Rational operator-(const Rational& a) { return Rational(0) - a; }
  friend bool operator<(const Rational& a, const Rational& b) { return a.value_ < b.value_; }
  friend bool operator>(const Rational& a, const Rational& b) { return b < a; }
  friend bool operator<=(const Rational& a, const Rational& b) { return !(b < a); }

 private:
  mpq_class value_;
};

inline Rational RootOf(const Rational& x) {
  const mpq_class scaled = x.value() << 4096;
  mpz_class root = sqrt(mpz_class(scaled.get_num() / scaled.get_den()));
  mpq_class result(root);
  result >>= 2048;
  return Rational(result);
}

// The scores of the last layer's rows, the constant second score of a single one included.
inline std::vector<Rational> RationalScores(const FrozenNetwork& network,
                                            std::span<const float> input) {
  std::vector<Rational> x;
  for (const float value : input) x.emplace_back(value);
  x = NetworkValues(network, std::move(x)).back();
  if (x.size() == 1) x.emplace_back(0);
  return x;
}

// The class of the first of the largest scores.
inline std::size_t RationalClass(const FrozenNetwork& network, std::span<const float> input) {
  const std::vector<Rational> scores = RationalScores(network, input);
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  return static_cast<std::size_t>(best) / network.prototypes_per_class;
}

}  // namespace lipserve

#endif  // TESTS_MODEL_RATIONAL_NETWORK_H_
