// SPDX-License-Identifier: Apache-2.0
#include "client/verify/model/pixel_table.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/verify/exact/number_text.h"

namespace lipserve::verify {
namespace {

constexpr std::size_t kPixelValues = 256;
constexpr long kDivisorExponent = 60;

}  // namespace

absl::StatusOr<PixelTable> PixelTable::Create(const mpq_class& divisor) {
  const mpz_class one(1);
  if (divisor < ToRational(one, -kDivisorExponent) || divisor > ToRational(one, kDivisorExponent)) {
    return absl::InvalidArgumentError(
        absl::StrCat("divisor of pixels: expected 2^-60 to 2^60, got ", sgn(divisor) < 0 ? "-" : "",
                     DecimalRoundedDown(abs(divisor))));
  }
  std::vector<Dyadic> rounded;
  for (std::size_t pixel = 0; pixel < kPixelValues; ++pixel) {
    rounded.push_back(NearestBinary32(mpq_class(pixel) / divisor));
  }
  PixelTable table;
  // T grows, so T[1] has the smallest last bit of all but T[0] = 0.
  table.values_.exponent = rounded[1].exponent;
  table.values_.numbers.emplace_back(0);
  mpz_class steepest = 0;
  for (std::size_t pixel = 1; pixel < kPixelValues; ++pixel) {
    table.values_.numbers.push_back(
        AtExponent(rounded[pixel].number, rounded[pixel].exponent, table.values_.exponent));
    const mpz_class step = table.values_.numbers[pixel] - table.values_.numbers[pixel - 1];
    steepest = std::max(steepest, step);
  }
  table.steepest_step_ = ToRational(steepest, table.values_.exponent);
  return table;
}

ExactVector PixelTable::Apply(const std::string& pixels) const {
  ExactVector result;
  result.exponent = values_.exponent;
  result.numbers.reserve(pixels.size());
  for (const char pixel : pixels) {
    result.numbers.push_back(values_.numbers[static_cast<unsigned char>(pixel)]);
  }
  return result;
}

}  // namespace lipserve::verify
