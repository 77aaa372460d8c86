// SPDX-License-Identifier: Apache-2.0
// Priority levels of requests, numbered as in Triton: level 1 is computed first.
#ifndef SERVER_REPOSITORY_PRIORITY_H_
#define SERVER_REPOSITORY_PRIORITY_H_

namespace lipserve {

inline constexpr int kPriorityLevels = 5;
inline constexpr int kDefaultPriority = 3;  // of a request without a priority

// Whether a request is background work, to be done when the server is otherwise idle.
constexpr bool IsBackground(int priority) { return priority > kDefaultPriority; }

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_PRIORITY_H_
