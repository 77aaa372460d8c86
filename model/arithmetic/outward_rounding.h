// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: every bound rounds outward through it.
//
// In the default environment (round to nearest, gradual underflow) each operation of IEEE 754
// returns a neighbour of the exact result, so the next double up, or down, is a true bound.
// ScopedStrictFloatingPoint sets that environment.
#ifndef MODEL_ARITHMETIC_OUTWARD_ROUNDING_H_
#define MODEL_ARITHMETIC_OUTWARD_ROUNDING_H_

#include <bit>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <limits>

namespace lipserve {

// Unit roundoffs and smallest normal numbers.
inline constexpr double kUnitRoundoff32 = 0x1p-24;
inline constexpr double kUnitRoundoff64 = 0x1p-53;
inline constexpr double kSmallestNormal32 = 0x1p-126;
inline constexpr double kSmallestNormal64 = 0x1p-1022;

// An upper bound of a nonnegative real number. An operation on bounds gives a bound of the same
// operation on the real numbers. A NaN or a negative number becomes +infinity, which proves
// nothing.
//
// Example:
//   const Upper norm = SqrtUp(Upper(x) * Upper(x) + Upper(y) * Upper(y));  // at least ||(x, y)||_2
class Upper {
 public:
  // The number itself, exactly.
  constexpr explicit Upper(double exact)
      : value_(exact >= 0.0 ? exact : std::numeric_limits<double>::infinity()) {}
  constexpr Upper() = default;

  constexpr double value() const { return value_; }

  friend constexpr Upper operator+(Upper a, Upper b) { return RoundedUp(a.value_ + b.value_); }
  friend constexpr Upper operator*(Upper a, Upper b) { return RoundedUp(a.value_ * b.value_); }
  // Bounds a / b, where b is at least `lower_b` > 0.
  friend constexpr Upper DivideUp(Upper a, double lower_b) {
    return lower_b > 0.0 ? RoundedUp(a.value_ / lower_b)
                         : Upper(std::numeric_limits<double>::infinity());
  }
  // Bounds max(a - b, 0).
  friend constexpr Upper SubtractUp(Upper a, double b) {
    return a.value_ > b ? RoundedUp(a.value_ - b) : Upper();
  }
  friend Upper SqrtUp(Upper a) { return RoundedUp(std::sqrt(a.value_)); }
  friend constexpr Upper Max(Upper a, Upper b) { return a.value_ < b.value_ ? b : a; }

 private:
  // The next double above the rounded result; zero becomes the smallest subnormal, which covers
  // underflow.
  static constexpr Upper RoundedUp(double nearest) {
    if (!(nearest >= 0.0) || nearest > std::numeric_limits<double>::max()) {
      return Upper(std::numeric_limits<double>::infinity());
    }
    // + 0.0 turns -0 into +0, whose bits order like the others.
    return Upper(std::bit_cast<double>(std::bit_cast<std::uint64_t>(nearest + 0.0) + 1));
  }

  double value_ = 0.0;
};

// gamma_k = k u / (1 - k u), the relative error of k roundings (Higham 2002, Lemma 3.1). +infinity
// if k u >= 1/2, where a bound would be useless.
constexpr Upper Gamma(double k, double unit_roundoff) {
  const double ku = k * unit_roundoff;  // exact: unit_roundoff is a power of two
  if (!(ku < 0.5)) return Upper(std::numeric_limits<double>::infinity());
  return DivideUp(Upper(ku), 1.0 - ku - 0x1p-52);
}

// A lower bound of a - b. NaN stays NaN, which compares false with everything.
inline double SubtractDown(double a, double b) {
  return std::nextafter(a - b, -std::numeric_limits<double>::infinity());
}

// A lower bound of a / b for a >= 0 and b > 0, and 0 for anything else.
inline double DivideDown(double a, double b) {
  if (!(a > 0.0) || !(b > 0.0)) return 0.0;
  const double quotient = a / b;
  if (!(quotient > 0.0)) return 0.0;
  return std::nextafter(std::fmin(quotient, std::numeric_limits<double>::max()), 0.0);
}

// Sets round to nearest with gradual underflow for the calling thread, whatever a library has set
// there. Restores the previous environment at the end of the scope.
class ScopedStrictFloatingPoint {
 public:
  ScopedStrictFloatingPoint() {
    std::fegetenv(&previous_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~ScopedStrictFloatingPoint() { std::fesetenv(&previous_); }
  ScopedStrictFloatingPoint(const ScopedStrictFloatingPoint&) = delete;
  ScopedStrictFloatingPoint& operator=(const ScopedStrictFloatingPoint&) = delete;

 private:
  std::fenv_t previous_{};
};

}  // namespace lipserve

#endif  // MODEL_ARITHMETIC_OUTWARD_ROUNDING_H_
