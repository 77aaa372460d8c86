// SPDX-License-Identifier: Apache-2.0
// How urgent a request is, in levels that are numbered as in Triton: 1 is computed first.
#ifndef SERVER_REPOSITORY_PRIORITY_H_
#define SERVER_REPOSITORY_PRIORITY_H_

namespace lipserve {

inline constexpr int kPriorityLevels = 5;
inline constexpr int kDefaultPriority = 3;  // of a request that names none

// Whether it is the work that waits for a server with nothing better to do.
constexpr bool IsBackground(int priority) { return priority > kDefaultPriority; }

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_PRIORITY_H_
