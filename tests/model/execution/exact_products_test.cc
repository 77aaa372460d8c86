// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_products.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "model/execution/exact_integers.h"
#include "model/foundation/stop_check.h"
#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

// Sums of products are compared at the exponent -2000.
mpz_class AtCommonExponent(const mpz_class& number, int exponent) {
  return number << static_cast<unsigned>(exponent + 2000);
}

mpz_class PlainSum(const std::vector<float>& weights, const std::vector<mpz_class>& numbers) {
  const ScaledIntegers integers = ToIntegers(weights);
  mpz_class sum;
  for (std::size_t k = 0; k < weights.size(); ++k) sum += integers.numbers[k] * numbers[k];
  return AtCommonExponent(sum, integers.exponent);
}

mpz_class FastSum(const std::vector<float>& weights, const std::vector<mpz_class>& numbers) {
  const ExactProducts products(weights);
  const DigitTable table(numbers);
  ProductOperand operand;
  operand.Clear(table);
  for (std::size_t k = 0; k < weights.size(); ++k) {
    operand.Add(table, static_cast<std::uint32_t>(k), k);
  }
  return AtCommonExponent(products.Sum(0, operand), products.exponent());
}

TEST(ExactProductsTest, SumsAreThoseOfIntegersForWeightsAndNumbersOfEverySize) {
  std::mt19937_64 random(1);
  gmp_randclass bits(gmp_randinit_mt);
  for (int trial = 0; trial < 400; ++trial) {
    const std::size_t count = 1 + random() % 20;
    const int range = static_cast<int>(1 + random() % 120);
    const unsigned size = 1 + static_cast<unsigned>(random() % 400);
    std::vector<float> weights = RandomFloats(random, count, 1.0);
    std::vector<mpz_class> numbers;
    for (float& weight : weights) {
      weight =
          std::ldexp(weight, static_cast<int>(random() % static_cast<unsigned>(2 * range)) - range);
      if (random() % 5 == 0) weight = 0.0F;
      numbers.emplace_back(bits.get_z_bits(size));
      if (random() % 2 == 0) numbers.back() = -numbers.back();
      if (random() % 5 == 0) numbers.back() = 0;
    }
    ASSERT_EQ(FastSum(weights, numbers), PlainSum(weights, numbers)) << trial;
  }
}

TEST(ExactProductsTest, TheLargestAndTheSmallestFloatsAreExact) {
  const std::vector<float> weights = {std::numeric_limits<float>::max(),
                                      std::numeric_limits<float>::min(),
                                      -std::nextafter(0x1p-126F, 1.0F), 1.0F};
  const std::vector<mpz_class> numbers = {1, -1, (mpz_class(1) << 500) - 1, -(mpz_class(1) << 60)};
  EXPECT_EQ(FastSum(weights, numbers), PlainSum(weights, numbers));
  EXPECT_EQ(FastSum({0.0F, -0.0F}, {1, 2}), 0);
}

// As many products as a layer may have, of the largest weight and digits.
TEST(ExactProductsTest, TheLargestSumDoesNotOverflow) {
  const std::vector<float> weights = {std::nextafter(1.0F, 0.0F)};
  const mpz_class number = -((mpz_class(1) << 120) - 1);
  const ExactProducts products(weights);
  const DigitTable table({&number, 1});
  ProductOperand operand;
  operand.Clear(table);
  for (std::size_t k = 0; k < std::size_t{1} << 22U; ++k) operand.Add(table, 0, 0);
  EXPECT_EQ(AtCommonExponent(products.Sum(0, operand), products.exponent()),
            mpz_class(PlainSum(weights, {number}) << 22));
}

TEST(ExactIntegersTest, RoundingKeepsTheBitsOfTheLargestAndCountsWhatItChanges) {
  const StopCheck never;
  ExactRun run{.precision = 4, .stop = never, .value = 3};
  ScaledIntegers x{.numbers = {0b1111111, -0b0001111, 0b11000, 0}, .exponent = -2};
  RoundDown(x, run);
  EXPECT_EQ(x.numbers, (std::vector<mpz_class>{0b1111, -0b0010, 0b11, 0}));
  EXPECT_EQ(x.exponent, 1);
  ASSERT_EQ(run.roundings.size(), 1U);
  EXPECT_EQ(run.roundings[0].value, 3U);
  EXPECT_EQ(run.roundings[0].count, 2U);
  EXPECT_EQ(run.roundings[0].exponent, 1);
  RoundDown(x, run);  // nothing is left to round
  EXPECT_EQ(run.roundings.size(), 1U);
}

TEST(StopCheckTest, StaysStopped) {
  int asked = 0;
  const StopCheck stop([&asked] { return ++asked == 2; });
  EXPECT_FALSE(stop());
  EXPECT_TRUE(stop());
  EXPECT_TRUE(stop());
  EXPECT_EQ(asked, 2);
  EXPECT_FALSE(StopCheck()());
}

}  // namespace
}  // namespace lipserve
