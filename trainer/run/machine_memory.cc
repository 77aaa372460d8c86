// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/machine_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace lipserve::trainer {
namespace {

constexpr std::size_t kUnknown = std::numeric_limits<std::size_t>::max();

// The number behind "name:" in a file of lines "name:   123 kB", in bytes.
std::optional<std::size_t> FieldBytes(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::size_t kilobytes = 0;
  for (std::string line; std::getline(file, line);) {
    if (!absl::StartsWith(line, name + ":")) continue;
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipWhitespace());
    if (words.size() < 2 || !absl::SimpleAtoi(words[1], &kilobytes)) return std::nullopt;
    return kilobytes * 1024;
  }
  return std::nullopt;
}

// The limit in a file of a control group; a large number if it is "max" or there is no file.
std::size_t LimitIn(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  std::size_t bytes = 0;
  file >> word;
  return absl::SimpleAtoi(word, &bytes) ? bytes : kUnknown;
}

// The least limit of the group at `path` ("/a/b") and of those around it.
std::size_t LeastLimit(const std::string& mount, std::string path, const std::string& file) {
  std::size_t least = kUnknown;
  while (true) {
    least = std::min(least, LimitIn(absl::StrCat(mount, path, "/", file)));
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return least;
    path.resize(slash);
  }
}

// Lines are "0::/path" in version 2 and "4:memory:/path" in version 1. In a container the path may
// be the host's, and the limit is at the mount itself, which LeastLimit reads last.
std::size_t ControlGroupLimit(const std::string& root) {
  std::size_t least = kUnknown;
  std::ifstream groups(root + "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() < 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(fields[1], ',');
    if (fields[1].empty()) {
      least = std::min(least, LeastLimit(root + "sys/fs/cgroup", fields[2], "memory.max"));
    } else if (std::find(controllers.begin(), controllers.end(), "memory") != controllers.end()) {
      least = std::min(
          least, LeastLimit(root + "sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes"));
    }
  }
  return least;
}

}  // namespace

ProcessMemory ReadProcessMemory() {
  return {.resident_bytes = FieldBytes("/proc/self/status", "VmRSS").value_or(0),
          .peak_bytes = FieldBytes("/proc/self/status", "VmHWM").value_or(0)};
}

MachineMemory ReadMachineMemory(const std::string& root) {
  MachineMemory memory;
  memory.limit_bytes = std::min(FieldBytes(root + "proc/meminfo", "MemTotal").value_or(kUnknown),
                                ControlGroupLimit(root));
  memory.available_bytes = std::min(
      FieldBytes(root + "proc/meminfo", "MemAvailable").value_or(kUnknown), memory.limit_bytes);
  return memory;
}

}  // namespace lipserve::trainer
