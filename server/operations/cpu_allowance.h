// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_CPU_ALLOWANCE_H_
#define SERVER_OPERATIONS_CPU_ALLOWANCE_H_

#include <cstddef>
#include <string>

namespace lipserve {

// The number of cores that this process may use: the smaller of its CPU affinity and its cgroup's
// CPU quota, rounded up; at least 1.
//
// In a container the machine's core count would be wrong. The kernel pauses all threads of a
// process that exceeds its quota, in the middle of their work.
//
// `cgroup_root` is where the process sees its own cgroup. Versions 1 and 2 are understood.
std::size_t AllowedCores(const std::string& cgroup_root = "/sys/fs/cgroup");

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_CPU_ALLOWANCE_H_
