// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_PROCESS_STATISTICS_H_
#define SERVER_OPERATIONS_PROCESS_STATISTICS_H_

#include <cstdint>

namespace lipserve {

// What the kernel says about this process. A number that cannot be read is 0.
struct ProcessStatistics {
  std::int64_t resident_memory_bytes = 0;
  double cpu_seconds = 0.0;  // user and system time since the start, all threads
  std::int64_t open_fds = 0;
  std::int64_t max_fds = 0;  // the soft limit
};

// Reads the statistics of this process (Linux: /proc/self).
ProcessStatistics ReadProcessStatistics();

// When this process started, in seconds since 1970, to the second; 0 if that cannot be read.
double ProcessStartTimeSeconds();

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_PROCESS_STATISTICS_H_
