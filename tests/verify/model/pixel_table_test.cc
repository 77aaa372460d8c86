// SPDX-License-Identifier: Apache-2.0
#include "client/verify/model/pixel_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <string>

#include "model/network/pixel_scaling.h"

namespace lipserve::verify {
namespace {

std::string AllPixels() {
  std::string pixels(256, '\0');
  std::iota(pixels.begin(), pixels.end(), '\0');
  return pixels;
}

TEST(PixelTableTest, IsTheTableOfTheServer) {
  for (const double divisor : {255.0, 1.0, 256.0, 127.5, 58.395, 0x1p-60, 0x1p60}) {
    const auto table = PixelTable::Create(mpq_class(divisor));
    ASSERT_TRUE(table.ok());
    const PixelScaling scaling(divisor);
    const ExactVector values = table->Apply(AllPixels());
    for (std::size_t pixel = 0; pixel < 256; ++pixel) {
      const auto served = static_cast<double>(scaling[static_cast<std::uint8_t>(pixel)]);
      EXPECT_EQ(ToRational(values.numbers[pixel], values.exponent), mpq_class(served));
    }
  }
}

TEST(PixelTableTest, TheSteepestStepIsTheLargestDifferenceOfNeighbours) {
  const auto table = PixelTable::Create(255);
  const PixelScaling scaling(255.0);
  double steepest = 0.0;
  for (std::size_t pixel = 0; pixel < 255; ++pixel) {
    steepest =
        std::fmax(steepest, static_cast<double>(scaling[static_cast<std::uint8_t>(pixel + 1)]) -
                                static_cast<double>(scaling[static_cast<std::uint8_t>(pixel)]));
  }
  EXPECT_EQ(table->steepest_step(), mpq_class(steepest));
  EXPECT_GT(table->steepest_step(), mpq_class(1, 255));
}

TEST(PixelTableTest, RefusesDivisorsThatLeaveTheNormalNumbers) {
  for (const double divisor : {0.0, -255.0, 0x1p-61, 0x1.0000000000001p60}) {
    EXPECT_FALSE(PixelTable::Create(mpq_class(divisor)).ok());
  }
}

}  // namespace
}  // namespace lipserve::verify
