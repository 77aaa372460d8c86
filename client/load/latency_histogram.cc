// SPDX-License-Identifier: Apache-2.0
#include "client/load/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lipserve {
namespace {

// Values below 2^8 have a bucket each; from there on each power of two is cut into 2^7.
constexpr unsigned kExactBits = 8;
constexpr unsigned kCutBits = kExactBits - 1;
constexpr std::uint64_t kCuts = 1U << kCutBits;
constexpr std::size_t kBuckets = (64 - kExactBits) * kCuts + 2 * kCuts;

std::size_t BucketOf(std::uint64_t value) {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  if (width <= kExactBits) return value;
  const unsigned shift = width - kExactBits;
  return shift * kCuts + (value >> shift);
}

std::uint64_t LargestOf(std::size_t bucket) {
  if (bucket < 2 * kCuts) return bucket;
  const std::size_t shift = bucket / kCuts - 1;
  return ((bucket - shift * kCuts + 1) << shift) - 1;
}

}  // namespace

LatencyHistogram::LatencyHistogram() : buckets_(kBuckets) {}

void LatencyHistogram::Record(std::chrono::nanoseconds latency) {
  latency = std::max(latency, std::chrono::nanoseconds(0));
  ++buckets_[BucketOf(static_cast<std::uint64_t>(latency.count()))];
  ++count_;
  sum_ns_ += static_cast<double>(latency.count());
  max_ = std::max(max_, latency);
}

void LatencyHistogram::Add(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  max_ = std::max(max_, other.max_);
}

std::chrono::nanoseconds LatencyHistogram::mean() const {
  if (count_ == 0) return std::chrono::nanoseconds(0);
  return std::chrono::nanoseconds(std::llround(sum_ns_ / static_cast<double>(count_)));
}

std::chrono::nanoseconds LatencyHistogram::Quantile(double q) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen > 0 && seen >= wanted) {
      return std::min(max_, std::chrono::nanoseconds(static_cast<std::int64_t>(LargestOf(i))));
    }
  }
  return max_;
}

}  // namespace lipserve
