// SPDX-License-Identifier: Apache-2.0
#include "server/operations/checked_threads.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <set>
#include <thread>

#include "model/arithmetic/floating_point_canary.h"

namespace lipserve {
namespace {

constexpr std::size_t kThreads = 4;

TEST(CheckedThreadsTest, EveryThreadIsCheckedBeforeAnyWorks) {
  std::atomic<std::size_t> checked = 0;
  std::atomic<std::size_t> worked = 0;
  {
    const auto threads = CheckedThreads::Start(
        kThreads,
        [&] {
          EXPECT_EQ(checked, kThreads);
          EXPECT_EQ(omp_get_max_threads(), 1);
          ++worked;
        },
        [&] {
          EXPECT_EQ(worked, 0U);
          ++checked;
          return CheckStrictFloatingPoint();
        });
    EXPECT_TRUE(threads.ok()) << threads.status();
  }
  EXPECT_EQ(worked, kThreads);
}

TEST(CheckedThreadsTest, EachThreadChecksItself) {
  Mutex mutex;
  std::set<std::thread::id> ids;
  ASSERT_TRUE(CheckedThreads::Start(
                  kThreads, [] {},
                  [&] {
                    MutexLock lock(mutex);
                    ids.insert(std::this_thread::get_id());
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(ids.size(), kThreads);
  EXPECT_EQ(ids.count(std::this_thread::get_id()), 0U);
}

TEST(CheckedThreadsTest, OneFailedCheckIsAnErrorAndNothingWorks) {
  std::atomic<std::size_t> checked = 0;
  std::atomic<bool> worked = false;
  const auto threads = CheckedThreads::Start(
      kThreads, [&] { worked = true; },
      [&] { return ++checked == 2 ? absl::FailedPreconditionError("flushes") : absl::OkStatus(); });
  EXPECT_EQ(threads.status(), absl::FailedPreconditionError("flushes"));
  EXPECT_EQ(checked, kThreads);
  EXPECT_FALSE(worked);
}

TEST(CheckedThreadsTest, NoThreadsAreNoError) {
  EXPECT_TRUE(CheckedThreads::Start(
                  0, [] {}, [] { return absl::InternalError("never called"); })
                  .ok());
}

}  // namespace
}  // namespace lipserve
