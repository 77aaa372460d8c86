// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/inner_product.h"

#include <cstddef>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/matrices.h"

namespace lipserve::trainer {
namespace {

TEST(InnerProductTest, CountsEveryPositionOnceAtEveryLength) {
  for (std::size_t length = 0; length < 70; ++length) {
    // Integers whose sums are exact in float32.
    std::vector<float> a(length);
    std::vector<float> b(length);
    double expected = 0.0;
    for (std::size_t i = 0; i < length; ++i) {
      a[i] = static_cast<float>(i + 1);
      b[i] = static_cast<float>(2 * i) - 5.0F;
      expected += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    EXPECT_EQ(static_cast<double>(InnerProduct(a, b)), expected) << "length " << length;
  }
}

TEST(InnerProductTest, ErrorStaysBelowItsBound) {
  std::mt19937_64 random(2);
  const std::size_t n = 5000;
  const std::vector<float> a = RandomNumbers(n, random);
  const std::vector<float> b = RandomNumbers(n, random);
  double exact = 0.0;
  double magnitude = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    exact += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    magnitude += std::abs(static_cast<double>(a[i]) * static_cast<double>(b[i]));
  }
  EXPECT_NEAR(static_cast<double>(InnerProduct(a, b)), exact,
              (n / 16.0 + 5.0) * 0x1p-24 * magnitude);
}

}  // namespace
}  // namespace lipserve::trainer
