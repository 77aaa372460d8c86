// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/minibatch_stream.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "trainer/data/shuffle.h"

namespace lipserve::trainer {
namespace {

// Sample i has pixels i, i+1, i+2 (mod 256) and label i mod 2.
Samples CountingSamples(std::size_t count) {
  Samples samples;
  samples.shape = {1, 1, 3};
  samples.class_names = {"even", "odd"};
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t p = 0; p < 3; ++p) samples.pixels.push_back(static_cast<std::uint8_t>(i + p));
    samples.labels.push_back(static_cast<std::int32_t>(i % 2));
  }
  return samples;
}

// Checks that the stream yields exactly the samples of `order`, scaled, and returns batch sizes.
std::vector<std::size_t> ExpectOrder(MinibatchStream& stream, const Samples& samples,
                                     const std::vector<std::uint32_t>& order) {
  std::vector<std::size_t> sizes;
  std::size_t next = 0;
  stream.Begin(order);
  while (const Minibatch* batch = stream.Next()) {
    sizes.push_back(batch->size());
    EXPECT_EQ(batch->inputs().rows, batch->size());
    EXPECT_EQ(batch->inputs().cols, 3u);
    for (std::size_t r = 0; r < batch->size(); ++r, ++next) {
      EXPECT_EQ(batch->labels[r], samples.labels[order[next]]);
      for (std::size_t p = 0; p < 3; ++p) {
        const float expected =
            static_cast<float>(static_cast<double>(samples.image(order[next])[p]) / 255.0);
        EXPECT_EQ(batch->inputs().row(r)[p], expected);
      }
    }
  }
  EXPECT_EQ(next, order.size());
  return sizes;
}

TEST(MinibatchStreamTest, YieldsEverySampleOnceInOrderWithASmallerLastBatch) {
  const Samples samples = CountingSamples(300);
  MinibatchStream stream(samples, PixelScaling(255.0), 128);
  EXPECT_EQ(ExpectOrder(stream, samples, FileOrder(300)), (std::vector<std::size_t>{128, 128, 44}));
}

TEST(MinibatchStreamTest, StartsOverWithAnotherOrder) {
  const Samples samples = CountingSamples(100);
  MinibatchStream stream(samples, PixelScaling(255.0), 7);
  for (std::int64_t epoch = 1; epoch <= 20; ++epoch) {
    EXPECT_EQ(ExpectOrder(stream, samples, ShuffledOrder(100, 3, epoch)).size(), 15u);
  }
}

TEST(MinibatchStreamTest, UsesOneBatchIfTheBatchIsLargerThanTheData) {
  const Samples samples = CountingSamples(5);
  MinibatchStream stream(samples, PixelScaling(255.0), 128);
  EXPECT_EQ(ExpectOrder(stream, samples, FileOrder(5)), (std::vector<std::size_t>{5}));
}

TEST(MinibatchStreamTest, YieldsNothingBeforeBegin) {
  const Samples samples = CountingSamples(5);
  MinibatchStream stream(samples, PixelScaling(255.0), 2);
  EXPECT_EQ(stream.Next(), nullptr);
}

TEST(MinibatchStreamTest, StopsInTheMiddleOfAnEpochWithoutHanging) {
  const Samples samples = CountingSamples(1000);
  for (int taken = 0; taken < 5; ++taken) {
    MinibatchStream stream(samples, PixelScaling(255.0), 10);
    stream.Begin(FileOrder(1000));
    for (int i = 0; i < taken; ++i) EXPECT_NE(stream.Next(), nullptr);
  }
}

TEST(MinibatchStreamTest, DoesNotTouchTheBatchInUseWhilePreparingTheNext) {
  const Samples samples = CountingSamples(64);
  MinibatchStream stream(samples, PixelScaling(255.0), 1);
  stream.Begin(FileOrder(64));
  const Minibatch* first = stream.Next();
  ASSERT_NE(first, nullptr);
  const std::vector<float> before = first->values;
  // The producer fills the other slot meanwhile, and only that one; the thread sanitizer would
  // also see a write into this one.
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(first->values, before);
}

}  // namespace
}  // namespace lipserve::trainer
