// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/input_buffers.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace lipserve {
namespace {

TEST(InputBuffersTest, LendsAgainWhatWasReturnedLast) {
  InputBuffers buffers(1000);
  EXPECT_TRUE(buffers.Take().empty());
  std::vector<float> first(100);
  std::vector<float> second(200);
  const float* const first_memory = first.data();
  const float* const second_memory = second.data();
  buffers.Return(std::move(first));
  buffers.Return(std::move(second));
  EXPECT_EQ(buffers.Take().data(), second_memory);
  EXPECT_EQ(buffers.Take().data(), first_memory);
  EXPECT_EQ(buffers.Take().capacity(), 0U);
}

TEST(InputBuffersTest, KeepsNoMoreThanItMay) {
  InputBuffers buffers(250);
  for (int i = 0; i < 3; ++i) buffers.Return(std::vector<float>(100));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(buffers.Take().size(), 100U);
  EXPECT_TRUE(buffers.Take().empty());
  // What was taken leaves room for others.
  buffers.Return(std::vector<float>(250));
  EXPECT_EQ(buffers.Take().size(), 250U);
}

}  // namespace
}  // namespace lipserve
