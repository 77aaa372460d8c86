// SPDX-License-Identifier: Apache-2.0
// How much memory this process uses, and how much the machine or the process's control group
// allows.
#ifndef TRAINER_RUN_MACHINE_MEMORY_H_
#define TRAINER_RUN_MACHINE_MEMORY_H_

#include <cstddef>
#include <string>

namespace lipserve::trainer {

// From /proc/self/status; 0 where the system does not say.
struct ProcessMemory {
  std::size_t resident_bytes = 0;
  std::size_t peak_bytes = 0;  // the most that was ever resident
};

ProcessMemory ReadProcessMemory();

// Huge numbers where the system does not say.
struct MachineMemory {
  std::size_t limit_bytes = 0;  // memory of the machine, or what the control groups allow, if less
  std::size_t available_bytes = 0;  // without swapping, at this moment; at most limit_bytes
};

// Reads proc/meminfo, proc/self/cgroup and the limits of the control groups that it names, of
// version 1 or 2, and of those around them. `root` ends in "/"; another one is for tests.
MachineMemory ReadMachineMemory(const std::string& root = "/");

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_MACHINE_MEMORY_H_
