// SPDX-License-Identifier: Apache-2.0
#include "server/operations/cpu_allowance.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>

namespace lipserve {
namespace {

std::size_t CoresOfAffinity() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof(cores), &cores) != 0) return 1;
  return static_cast<std::size_t>(std::max(CPU_COUNT(&cores), 1));
}

// Reads the next number; none if the file is missing or has something else there, such as "max".
std::optional<double> ReadNumber(std::istream& in) {
  double number = 0.0;
  if (in >> number && number > 0.0) return number;
  return std::nullopt;
}

// The CPU quota in cores, if there is one.
std::optional<double> CoresOfQuota(const std::string& root) {
  std::ifstream v2(root + "/cpu.max");  // "<quota> <period>" or "max <period>"
  if (v2.is_open()) {
    const std::optional<double> quota = ReadNumber(v2);
    const std::optional<double> period = quota.has_value() ? ReadNumber(v2) : std::nullopt;
    if (period.has_value()) return *quota / *period;
    return std::nullopt;
  }
  std::ifstream quota_file(root + "/cpu/cpu.cfs_quota_us");  // -1 for none
  std::ifstream period_file(root + "/cpu/cpu.cfs_period_us");
  const std::optional<double> quota = ReadNumber(quota_file);
  const std::optional<double> period = ReadNumber(period_file);
  if (quota.has_value() && period.has_value()) return *quota / *period;
  return std::nullopt;
}

}  // namespace

std::size_t AllowedCores(const std::string& cgroup_root) {
  const std::size_t cores = CoresOfAffinity();
  const std::optional<double> quota = CoresOfQuota(cgroup_root);
  if (!quota.has_value() || *quota >= static_cast<double>(cores)) return cores;
  return static_cast<std::size_t>(std::max(std::ceil(*quota), 1.0));
}

}  // namespace lipserve
