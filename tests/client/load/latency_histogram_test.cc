// SPDX-License-Identifier: Apache-2.0
#include "client/load/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace lipserve {
namespace {

using std::chrono::nanoseconds;

TEST(LatencyHistogramTest, QuantilesAreAtMostOneIn128AboveTheExactOnes) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> lognormal(12.0, 3.0);
  LatencyHistogram histogram;
  std::vector<std::int64_t> sorted;
  for (int i = 0; i < 20'000; ++i) {
    sorted.push_back(static_cast<std::int64_t>(lognormal(random)));
    histogram.Record(nanoseconds(sorted.back()));
  }
  std::sort(sorted.begin(), sorted.end());
  for (const double q : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto rank = std::max(1.0, std::ceil(q * static_cast<double>(sorted.size())));
    const std::int64_t exact = sorted[static_cast<std::size_t>(rank) - 1];
    const std::int64_t got = histogram.Quantile(q).count();
    EXPECT_GE(got, exact) << q;
    EXPECT_LE(got - exact, exact / 128) << q;
  }
  EXPECT_EQ(histogram.Quantile(1.0).count(), sorted.back());
  EXPECT_EQ(histogram.max().count(), sorted.back());
  EXPECT_EQ(histogram.count(), sorted.size());
}

TEST(LatencyHistogramTest, TakesTheSmallestAndTheLargestValues) {
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{255}, std::int64_t{256}, std::int64_t{511},
        std::int64_t{512}, std::numeric_limits<std::int64_t>::max()}) {
    LatencyHistogram histogram;
    histogram.Record(nanoseconds(value));
    EXPECT_EQ(histogram.Quantile(0.5).count(), value);
  }
  LatencyHistogram histogram;
  histogram.Record(nanoseconds(-5));  // a clock that was set back
  EXPECT_EQ(histogram.Quantile(1.0).count(), 0);
}

TEST(LatencyHistogramTest, ASumIsWhatOneHistogramWouldHaveCounted) {
  std::mt19937_64 random(2);
  LatencyHistogram a;
  LatencyHistogram b;
  LatencyHistogram whole;
  for (int i = 0; i < 1000; ++i) {
    const nanoseconds latency(random() % 1'000'000);
    (i % 3 == 0 ? a : b).Record(latency);
    whole.Record(latency);
  }
  a.Add(b);
  EXPECT_EQ(a.count(), whole.count());
  EXPECT_EQ(a.mean(), whole.mean());
  for (const double q : {0.1, 0.5, 0.99, 1.0}) EXPECT_EQ(a.Quantile(q), whole.Quantile(q));
}

TEST(LatencyHistogramTest, EmptyItSaysZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.Quantile(0.99).count(), 0);
  EXPECT_EQ(histogram.mean().count(), 0);
}

}  // namespace
}  // namespace lipserve
