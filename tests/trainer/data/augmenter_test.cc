// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/augmenter.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "trainer/data/minibatch_stream.h"
#include "trainer/data/shuffle.h"

namespace lipserve::trainer {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr std::size_t kSide = 9;
constexpr SampleShape kShape{1, kSide, kSide};

v1::AugmentationSpec Parse(const std::string& text) {
  v1::AugmentationSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  return spec;
}

std::unique_ptr<Augmenter> Make(const std::string& text, SampleShape shape = kShape,
                                std::uint64_t seed = 3) {
  auto augmenter = Augmenter::Create(Parse(text), shape, seed);
  EXPECT_TRUE(augmenter.ok()) << augmenter.status();
  return *std::move(augmenter);
}

// One lit pixel.
std::vector<float> Dot(std::size_t row, std::size_t column) {
  std::vector<float> image(kShape.size());
  image[row * kSide + column] = 1.0F;
  return image;
}

// The centre of light, (row, column).
std::pair<double, double> Centre(const std::vector<float>& image) {
  double mass = 0.0;
  double row = 0.0;
  double column = 0.0;
  for (std::size_t i = 0; i < image.size(); ++i) {
    const auto light = static_cast<double>(image[i]);
    mass += light;
    row += light * static_cast<double>(i / kSide);
    column += light * static_cast<double>(i % kSide);
  }
  return {row / mass, column / mass};
}

// Different numbers in every pixel, from 1 up.
std::vector<float> Counting(std::size_t size) {
  std::vector<float> image(size);
  std::iota(image.begin(), image.end(), 1.0F);
  return image;
}

TEST(AugmenterTest, ShiftsByWholePixelsExactlyAndReachesAllOfThemAlike) {
  const auto augmenter = Make("shift { pixels: 1 }");
  std::vector<int> counts(9);
  constexpr int kImages = 9000;
  for (int i = 0; i < kImages; ++i) {
    std::vector<float> image = Dot(4, 4);
    augmenter->Apply(1, static_cast<std::uint64_t>(i), image);
    const auto lit = std::find(image.begin(), image.end(), 1.0F) - image.begin();
    ASSERT_LT(lit, static_cast<std::ptrdiff_t>(image.size()));
    ASSERT_EQ(std::count(image.begin(), image.end(), 0.0F), 80);
    const auto row = lit / 9 - 3;
    const auto column = lit % 9 - 3;
    ASSERT_TRUE(row >= 0 && row < 3 && column >= 0 && column < 3);
    ++counts[static_cast<std::size_t>(row * 3 + column)];
  }
  // 1000 each; six deviations of a binomial count are 179.
  for (const int count : counts) EXPECT_NEAR(count, 1000, 179);
}

TEST(AugmenterTest, ProbabilityIsTheShareOfImagesThatChange) {
  const auto augmenter = Make("continuous_shift { pixels: 1 probability: 0.25 }");
  int changed = 0;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    std::vector<float> image = Dot(4, 4);
    augmenter->Apply(1, i, image);
    changed += image == Dot(4, 4) ? 0 : 1;
  }
  // Six deviations of a binomial count.
  EXPECT_NEAR(changed, 1000, 165);
}

TEST(AugmenterTest, FlipMirrorsEveryRowAndTwiceIsNothing) {
  const auto augmenter = Make("flip { probability: 1 }", {2, 3, 4});
  std::vector<float> image = Counting(24);
  augmenter->Apply(1, 0, image);
  EXPECT_EQ(std::vector<float>(image.begin(), image.begin() + 8),
            (std::vector<float>{4, 3, 2, 1, 8, 7, 6, 5}));
  EXPECT_EQ(image[12], 16.0F);
  augmenter->Apply(1, 0, image);
  EXPECT_EQ(image, Counting(24));
}

TEST(AugmenterTest, ContinuousShiftsMoveTheCentreOfLightWithinTheirReach) {
  const auto augmenter = Make("continuous_shift { pixels: 1.5 }");
  double furthest = 0.0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    std::vector<float> image = Dot(4, 4);
    augmenter->Apply(1, i, image);
    const auto [row, column] = Centre(image);
    EXPECT_NEAR(std::accumulate(image.begin(), image.end(), 0.0), 1.0, 1e-6);
    furthest = std::max({furthest, std::abs(row - 4.0), std::abs(column - 4.0)});
  }
  EXPECT_LE(furthest, 1.5 + 1e-6);
  EXPECT_GT(furthest, 1.4);
}

TEST(AugmenterTest, RotationKeepsTheDistanceFromTheCentre) {
  const auto augmenter = Make("rotation { degrees: 90 }");
  double lowest = 9.0;
  double highest = 0.0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    std::vector<float> image = Dot(4, 7);
    augmenter->Apply(1, i, image);
    const auto [row, column] = Centre(image);
    // Bilinear light sits within half a pixel of where it belongs.
    EXPECT_NEAR(std::hypot(row - 4.0, column - 4.0), 3.0, 0.5);
    lowest = std::min(lowest, row);
    highest = std::max(highest, row);
  }
  EXPECT_LT(lowest, 1.5);
  EXPECT_GT(highest, 6.5);
}

TEST(AugmenterTest, CropEnlarges) {
  const auto augmenter = Make("crop { min_area: 0.3 }");
  double mass = 0.0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    std::vector<float> image = Dot(4, 4);
    augmenter->Apply(1, i, image);
    mass += std::accumulate(image.begin(), image.end(), 0.0);
  }
  // Light grows by 1 / area: by ln(1 / 0.3) / 0.7 = 1.72 in the mean, less what leaves the image.
  EXPECT_NEAR(mass / 400.0, 1.72, 0.3);
}

TEST(AugmenterTest, CutoutBlackensASquareOfEveryChannel) {
  const auto augmenter = Make("cutout { size: 3 }", {2, kSide, kSide});
  std::set<std::ptrdiff_t> sizes;
  for (std::uint64_t i = 0; i < 400; ++i) {
    std::vector<float> image = Counting(2 * kShape.size());
    augmenter->Apply(1, i, image);
    const auto half = image.begin() + static_cast<std::ptrdiff_t>(kShape.size());
    const auto black = std::count(image.begin(), half, 0.0F);
    EXPECT_EQ(std::count(half, image.end(), 0.0F), black);
    sizes.insert(black);
  }
  // Whole squares, and those that a border or a corner cuts.
  EXPECT_EQ(sizes, (std::set<std::ptrdiff_t>{4, 6, 9}));
}

TEST(AugmenterTest, ElasticFieldsHaveTheSizeAskedForAndAreSmooth) {
  ElasticField field(28, 28, 4.0);
  SampleRandom random(1, 2, 3);
  field.Draw(1.5, random);
  double squares = 0.0;
  double steps = 0.0;
  for (std::size_t i = 0; i < 784; ++i) {
    squares += field.x()[i] * field.x()[i];
    if (i % 28 != 0) steps = std::max(steps, std::abs(field.x()[i] - field.x()[i - 1]));
  }
  EXPECT_NEAR(std::sqrt(squares / 784.0), 1.5, 1e-9);
  EXPECT_LT(steps, 1.5);
  EXPECT_NE(field.x(), field.y());
}

TEST(AugmenterTest, BordersAreBlackOrMirrored) {
  std::vector<float> black(kShape.size(), 2.0F);
  std::vector<float> mirrored = black;
  Make("continuous_shift { pixels: 3 } rotation { degrees: 40 } elastic { pixels: 1 }")
      ->Apply(1, 1, black);
  Make(
      "continuous_shift { pixels: 3 } rotation { degrees: 40 } elastic { pixels: 1 } "
      "border: AUGMENTATION_BORDER_REFLECT")
      ->Apply(1, 1, mirrored);
  EXPECT_LT(*std::min_element(black.begin(), black.end()), 0.5F);
  EXPECT_THAT(mirrored, Each(::testing::FloatNear(2.0F, 1e-6F)));
}

TEST(AugmenterTest, DependsOnSeedEpochAndSampleAndOnNothingElse) {
  const std::string all =
      "flip {} shift { pixels: 2 } rotation { degrees: 20 } crop { min_area: 0.6 } "
      "elastic { pixels: 1 } cutout { size: 3 }";
  const auto result = [](Augmenter& augmenter, std::int64_t epoch, std::uint64_t sample) {
    std::vector<float> image = Counting(kShape.size());
    augmenter.Apply(epoch, sample, image);
    return image;
  };
  const auto first = Make(all);
  const auto second = Make(all);
  const std::vector<float> expected = result(*first, 5, 7);
  EXPECT_NE(result(*first, 5, 8), expected);
  EXPECT_NE(result(*first, 6, 7), expected);
  EXPECT_NE(result(*Make(all, kShape, 4), 5, 7), expected);
  EXPECT_EQ(result(*second, 5, 7), expected);
  EXPECT_EQ(result(*first, 5, 7), expected);
}

TEST(AugmenterTest, TheStreamAugmentsByTheNumberOfTheSampleNotItsPlace) {
  Samples samples;
  samples.shape = kShape;
  samples.class_names = {"a", "b"};
  samples.labels = {0, 1, 0};
  samples.pixels.assign(3 * kShape.size(), 0);
  for (std::size_t i = 0; i < 3; ++i) samples.pixels[i * kShape.size() + 40] = 255;
  const auto images = [&samples](std::size_t batch_size, std::vector<std::uint32_t> order) {
    MinibatchStream stream(samples, PixelScaling(255.0), batch_size, {},
                           Make("shift { pixels: 3 }"));
    stream.Begin(order, 2);
    std::vector<std::vector<float>> result(3);
    std::size_t next = 0;
    while (const Minibatch* batch = stream.Next()) {
      for (std::size_t r = 0; r < batch->size(); ++r) {
        const auto row = batch->inputs().row(r);
        result[order[next++]] = {row.begin(), row.end()};
      }
    }
    return result;
  };
  const auto expected = images(1, {0, 1, 2});
  EXPECT_EQ(images(2, {2, 0, 1}), expected);
  EXPECT_NE(expected[0], expected[1]);
}

TEST(AugmenterTest, RefusesWrongFieldsNamingThem) {
  const auto error = [](const std::string& text) {
    return std::string(Augmenter::Create(Parse(text), kShape, 0).status().message());
  };
  EXPECT_THAT(error("shift { pixels: 0.5 }"),
              HasSubstr("recipe: augmentation.shift.pixels: expected a whole number"));
  EXPECT_THAT(error("shift {}"), HasSubstr("augmentation.shift.pixels: expected a positive"));
  EXPECT_THAT(error("continuous_shift { pixels: nan }"), HasSubstr("continuous_shift.pixels"));
  EXPECT_THAT(error("rotation { degrees: 181 }"),
              HasSubstr("rotation.degrees: expected an angle in (0, 180], got 181"));
  EXPECT_THAT(error("crop { min_area: 1 }"), HasSubstr("crop.min_area: expected a share"));
  EXPECT_THAT(error("elastic { pixels: 1 smoothness: -1 }"), HasSubstr("elastic.smoothness"));
  EXPECT_THAT(error("cutout { size: 10 }"),
              HasSubstr("cutout.size: expected 1 to the image's 9 pixels, got 10"));
  EXPECT_THAT(error("flip { probability: 1.5 }"),
              HasSubstr("flip.probability: expected a share in (0, 1]"));
}

TEST(AugmenterTest, DescribesWhatItDoes) {
  EXPECT_EQ(DescribeAugmentation(Parse("shift { pixels: 1 probability: 0.5 } "
                                       "rotation { degrees: 8 }")),
            "shift of 1 with probability 0.5, rotation of 8 degrees");
  EXPECT_EQ(DescribeAugmentation({}), "");
}

}  // namespace
}  // namespace lipserve::trainer
