// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_PROCESS_STATISTICS_H_
#define SERVER_OPERATIONS_PROCESS_STATISTICS_H_

#include <cstdint>

namespace lipserve {

// The kernel's statistics of this process. A number that cannot be read is 0.
struct ProcessStatistics {
  std::int64_t resident_memory_bytes = 0;
  double cpu_seconds = 0.0;  // user and system time since the start, all threads
  std::int64_t open_fds = 0;
  std::int64_t max_fds = 0;  // the soft limit
};

// Reads the statistics of this process (Linux: /proc/self).
ProcessStatistics ReadProcessStatistics();

// The start time of this process, in whole seconds since 1970; 0 if it cannot be read.
double ProcessStartTimeSeconds();

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_PROCESS_STATISTICS_H_
