// SPDX-License-Identifier: Apache-2.0
// Measures how many images of a model are worth computing together. It is measured at loading,
// because it depends on the layers and on the machine. In small networks every further image makes
// an image cheaper. Where the weights stay in the cache anyway, a larger batch only makes its
// requests wait.
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

// The time to compute one batch.
struct BatchTime {
  std::size_t images = 1;
  std::chrono::nanoseconds time{1};  // at least 1
};

// The CPU time of the calling thread. It does not advance while other threads have the core, so a
// model can be measured while others serve.
class ThreadCpuClock final : public Clock {
 public:
  TimePoint Now() const override;
};

// Times `compute`, which computes a batch of the given number of images, for 1, 2, 4, ... images
// and for `max_batch`. Takes the fastest of a few runs; slow sizes get fewer runs. A batch that is
// expected to take more than a fifth of a second is not run: it takes as long for each image as the
// largest that was.
//
// Requires: max_batch is at least 1.
std::vector<BatchTime> MeasureBatchTimes(std::size_t max_batch,
                                         const std::function<void(std::size_t)>& compute,
                                         const Clock& clock);

// The smallest measured size whose throughput is at least 95 % of the best one.
//
// Each batch is charged 80 us on top of its computation: for the thread switches around it, and for
// caches that other threads have filled meanwhile. (Measured, 784-512-512-512-10 under 64 calls at
// a time on two cores: 135 us of both processes' CPU per image in batches of 4, 119 us in batches
// of 11.)
//
// Requires: times are of ascending sizes, at least one.
std::size_t ChooseBatchLimit(std::span<const BatchTime> times);

// The times as text, e.g. "1: 12.1 us, 2: 14.9 us".
std::string BatchTimesText(std::span<const BatchTime> times);

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_BATCH_CALIBRATION_H_
