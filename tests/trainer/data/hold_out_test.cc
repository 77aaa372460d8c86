// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/hold_out.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace lipserve::trainer {
namespace {

using ::testing::HasSubstr;

// 60 samples of class 0 and 40 of class 1, in turns; the pixel of each is its number.
Samples Hundred() {
  Samples samples;
  samples.shape = {1, 1, 1};
  samples.class_names = {"a", "b"};
  for (std::uint8_t i = 0; i < 100; ++i) {
    samples.pixels.push_back(i);
    samples.labels.push_back(i % 5 < 3 ? 0 : 1);
  }
  return samples;
}

v1::SplitSpec Spec(double validation, double test, std::uint64_t seed) {
  v1::SplitSpec spec;
  spec.set_validation(validation);
  spec.set_test(test);
  spec.set_seed(seed);
  return spec;
}

TEST(HoldOutTest, EverySampleIsInOnePartAndEveryClassInProportion) {
  const auto held_out = HoldOut(Spec(0.1, 0.2, 3), Hundred());
  ASSERT_TRUE(held_out.ok()) << held_out.status();
  std::vector<std::uint8_t> all;
  for (const Samples* part : {&held_out->train, &*held_out->validation, &*held_out->test}) {
    EXPECT_TRUE(std::is_sorted(part->pixels.begin(), part->pixels.end()));
    all.insert(all.end(), part->pixels.begin(), part->pixels.end());
    for (std::size_t i = 0; i < part->size(); ++i) {
      EXPECT_EQ(part->labels[i], part->pixels[i] % 5 < 3 ? 0 : 1);
    }
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, Hundred().pixels);
  const auto ones = [](const Samples& part) {
    return std::count(part.labels.begin(), part.labels.end(), 1);
  };
  EXPECT_EQ(held_out->test->size(), 20U);
  EXPECT_EQ(ones(*held_out->test), 8);
  EXPECT_EQ(held_out->validation->size(), 10U);
  EXPECT_EQ(ones(*held_out->validation), 4);
}

TEST(HoldOutTest, TheSeedDecidesAndNothingElse) {
  const auto first = HoldOut(Spec(0.1, 0.2, 3), Hundred());
  EXPECT_EQ(HoldOut(Spec(0.1, 0.2, 3), Hundred())->test->pixels, first->test->pixels);
  EXPECT_NE(HoldOut(Spec(0.1, 0.2, 4), Hundred())->test->pixels, first->test->pixels);
}

TEST(HoldOutTest, TheTestPartDoesNotDependOnTheValidationShare) {
  EXPECT_EQ(HoldOut(Spec(0.3, 0.2, 3), Hundred())->test->pixels,
            HoldOut(Spec(0.0, 0.2, 3), Hundred())->test->pixels);
}

TEST(HoldOutTest, WithoutSharesEverythingIsForTraining) {
  const auto held_out = HoldOut(Spec(0.0, 0.0, 3), Hundred());
  EXPECT_EQ(held_out->train.pixels, Hundred().pixels);
  EXPECT_FALSE(held_out->validation.has_value());
  EXPECT_FALSE(held_out->test.has_value());
}

TEST(HoldOutTest, RefusesPartsWithoutSamplesOfAClass) {
  EXPECT_THAT(std::string(HoldOut(Spec(0.01, 0.0, 3), Hundred()).status().message()),
              HasSubstr("dataset.split.validation: expected a share that gives each class a "
                        "sample, got 0.01 of the 40 of class b"));
  EXPECT_THAT(std::string(HoldOut(Spec(0.5, 0.495, 3), Hundred()).status().message()),
              HasSubstr("none left of the 60 of class a"));
}

}  // namespace
}  // namespace lipserve::trainer
