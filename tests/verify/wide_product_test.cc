// SPDX-License-Identifier: Apache-2.0
#include "client/verify/exact/wide_product.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace lipserve::verify {
namespace {

mpz_class ByGmp(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  mpz_class sum;
  for (std::size_t k = 0; k < a.size(); ++k) sum += mpz_class(a[k]) * mpz_class(b[k]);
  return sum;
}

mpz_class ByWideProduct(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  mpz_class sum;
  Assign(WideProduct(a.data(), b.data(), a.size()), sum);
  return sum;
}

TEST(WideProductTest, AgreesWithGmp) {
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 200; ++trial) {
    const auto numbers = [&](std::size_t size) {
      std::vector<std::int64_t> values(size);
      for (std::int64_t& value : values) value = static_cast<std::int64_t>(random()) >> 8;
      return values;
    };
    const std::size_t size = random() % 200;
    const auto a = numbers(size);
    const auto b = numbers(size);
    EXPECT_EQ(ByWideProduct(a, b), ByGmp(a, b));
  }
}

TEST(WideProductTest, DoesNotOverflowAtItsLimits) {
  // 2^(2 * 55) * 2^16 = 2^126.
  for (const std::int64_t sign : {1, -1}) {
    const std::vector<std::int64_t> a(std::size_t{1} << 16, std::int64_t{1} << 55);
    const std::vector<std::int64_t> b(a.size(), sign * (std::int64_t{1} << 55));
    EXPECT_EQ(ByWideProduct(a, b), sign * (mpz_class(1) << 126));
  }
}

}  // namespace
}  // namespace lipserve::verify
