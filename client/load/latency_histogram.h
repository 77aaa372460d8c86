// SPDX-License-Identifier: Apache-2.0
#ifndef CLIENT_LOAD_LATENCY_HISTOGRAM_H_
#define CLIENT_LOAD_LATENCY_HISTOGRAM_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lipserve {

// Counts latencies in buckets whose width grows with the value, so that every quantile is known to
// within 1/128, from nanoseconds to centuries, in memory that does not grow.
//
// Source: Tene, HdrHistogram.
class LatencyHistogram {
 public:
  LatencyHistogram();

  // A negative latency counts as 0.
  void Record(std::chrono::nanoseconds latency);
  void Add(const LatencyHistogram& other);

  std::uint64_t count() const { return count_; }
  std::chrono::nanoseconds max() const { return max_; }
  // 0 if nothing was recorded.
  std::chrono::nanoseconds mean() const;

  // The smallest bucket bound such that at least the fraction q of all latencies is at or below it;
  // never more than max(). 0 if nothing was recorded. Requires: 0 <= q <= 1.
  std::chrono::nanoseconds Quantile(double q) const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  double sum_ns_ = 0.0;
  std::chrono::nanoseconds max_{0};
};

}  // namespace lipserve

#endif  // CLIENT_LOAD_LATENCY_HISTOGRAM_H_
