// SPDX-License-Identifier: Apache-2.0
// How many images of a model are worth computing together: measured when it is loaded, because it
// depends on its layers and on the machine. Small networks gain from every image that joins; where
// weights are in the cache anyway, a larger batch only makes those wait who are in it.
#ifndef SERVER_REPOSITORY_BATCH_CALIBRATION_H_
#define SERVER_REPOSITORY_BATCH_CALIBRATION_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "server/operations/clock.h"

namespace lipserve {

// How long a batch takes.
struct BatchTime {
  std::size_t images = 1;
  std::chrono::nanoseconds time{1};  // at least 1
};

// CPU time of the calling thread, which does not pass while other threads have the core: a model is
// measured while others serve.
class ThreadCpuClock final : public Clock {
 public:
  TimePoint Now() const override;
};

// Times `compute`, which computes a batch of so many images, for 1, 2, 4 and so on up to
// `max_batch`, and for that itself. The fastest of a few runs counts; sizes that take long get
// fewer.
//
// Requires: max_batch is at least 1.
std::vector<BatchTime> MeasureBatchTimes(std::size_t max_batch,
                                         const std::function<void(std::size_t)>& compute,
                                         const Clock& clock);

// The smallest of the measured sizes that computes at least 95 % as many images a second as the
// best one, when every batch costs 80 us more than it computes: the thread switches around it, and
// caches that others have filled meanwhile. (Measured, 784-512-512-512-10 under 64 calls at a time
// on two cores: 135 us of both processes' CPU per image in batches of 4, 119 us in batches of 11.)
//
// Requires: times are of ascending sizes, at least one.
std::size_t ChooseBatchLimit(std::span<const BatchTime> times);

// "1: 12.1 us, 2: 14.9 us".
std::string BatchTimesText(std::span<const BatchTime> times);

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_BATCH_CALIBRATION_H_
