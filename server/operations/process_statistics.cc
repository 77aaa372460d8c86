// SPDX-License-Identifier: Apache-2.0
#include "server/operations/process_statistics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace lipserve {
namespace {

std::int64_t ResidentMemoryBytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t total_pages = 0;
  std::int64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return statm ? resident_pages * ::sysconf(_SC_PAGESIZE) : 0;
}

double CpuSeconds() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0.0;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::int64_t OpenFds() {
  std::error_code error;
  std::int64_t count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return count;
}

std::int64_t MaxFds() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<std::int64_t>(limit.rlim_cur) : 0;
}

// The number after the word `key`, or 0.
double NumberAfter(const char* path, const std::string& key) {
  std::ifstream file(path);
  std::string word;
  double number = 0.0;
  while (file >> word) {
    if (word == key) return file >> number ? number : 0.0;
  }
  return 0.0;
}

}  // namespace

ProcessStatistics ReadProcessStatistics() {
  return {.resident_memory_bytes = ResidentMemoryBytes(),
          .cpu_seconds = CpuSeconds(),
          .open_fds = OpenFds(),
          .max_fds = MaxFds()};
}

double ProcessStartTimeSeconds() {
  // The program's name may contain spaces and parentheses. The fields after it contain none.
  std::ifstream stat("/proc/self/stat");
  std::string line;
  std::getline(stat, line);
  const std::size_t after_name = line.rfind(')');
  if (after_name == std::string::npos) return 0.0;
  std::istringstream fields(line.substr(after_name + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;  // as numbered in proc(5)
  double ticks_after_boot = 0.0;
  if (!(fields >> ticks_after_boot)) return 0.0;
  return NumberAfter("/proc/stat", "btime") +
         ticks_after_boot / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace lipserve
