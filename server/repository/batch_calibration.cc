// SPDX-License-Identifier: Apache-2.0
#include "server/repository/batch_calibration.h"

#include <algorithm>
#include <cassert>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace lipserve {
namespace {

using std::chrono::nanoseconds;

constexpr int kMaxRuns = 5;
constexpr int kMinRuns = 2;  // the first touches cold memory
constexpr nanoseconds kEnoughTime = std::chrono::milliseconds(20);

// A larger one is not run.
constexpr std::chrono::duration<double, std::nano> kLongestBatch = std::chrono::milliseconds(200);

constexpr double kGoodThroughput = 0.95;
constexpr nanoseconds kOverheadPerBatch = std::chrono::microseconds(80);

nanoseconds FastestRun(std::size_t images, const std::function<void(std::size_t)>& compute,
                       const Clock& clock) {
  nanoseconds fastest = nanoseconds::max();
  nanoseconds spent{0};
  for (int run = 0; run < kMaxRuns && (run < kMinRuns || spent < kEnoughTime); ++run) {
    const Clock::TimePoint start = clock.Now();
    compute(images);
    const nanoseconds time = clock.Now() - start;
    fastest = std::min(fastest, time);
    spent += time;
  }
  return std::max(fastest, nanoseconds(1));
}

double ImagesPerNanosecond(const BatchTime& batch) {
  const nanoseconds time = batch.time + kOverheadPerBatch;
  return static_cast<double>(batch.images) / static_cast<double>(time.count());
}

}  // namespace

Clock::TimePoint ThreadCpuClock::Now() const {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return TimePoint(std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec));
}

std::vector<BatchTime> MeasureBatchTimes(std::size_t max_batch,
                                         const std::function<void(std::size_t)>& compute,
                                         const Clock& clock) {
  assert(max_batch > 0);
  std::vector<BatchTime> times;
  BatchTime measured;
  const auto add = [&](std::size_t images) {
    const auto ratio = static_cast<double>(images) / static_cast<double>(measured.images);
    const std::chrono::duration<double, std::nano> expected = ratio * measured.time;
    if (times.empty() || expected <= kLongestBatch) {
      measured = {images, FastestRun(images, compute, clock)};
      times.push_back(measured);
    } else {
      times.push_back({images, std::chrono::duration_cast<nanoseconds>(expected)});
    }
  };
  for (std::size_t images = 1; images < max_batch; images *= 2) add(images);
  add(max_batch);
  return times;
}

std::size_t ChooseBatchLimit(std::span<const BatchTime> times) {
  assert(!times.empty());
  double best = 0.0;
  for (const BatchTime& batch : times) best = std::max(best, ImagesPerNanosecond(batch));
  const auto good = std::find_if(times.begin(), times.end(), [best](const BatchTime& batch) {
    return ImagesPerNanosecond(batch) >= kGoodThroughput * best;
  });
  return good->images;
}

std::string BatchTimesText(std::span<const BatchTime> times) {
  return absl::StrJoin(times, ", ", [](std::string* out, const BatchTime& batch) {
    absl::StrAppendFormat(out, "%d: %.1f us", batch.images,
                          1e-3 * static_cast<double>(batch.time.count()));
  });
}

}  // namespace lipserve
