// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_DESCRIPTOR_LIMIT_H_
#define SERVER_OPERATIONS_DESCRIPTOR_LIMIT_H_

#include <cstddef>

namespace lipserve {

// Raises the soft limit of file descriptors of this process (RLIMIT_NOFILE) to the hard one.
// Returns the limit that holds then.
std::size_t RaiseDescriptorLimit();

// The soft limit of file descriptors of this process.
std::size_t DescriptorLimit();

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_DESCRIPTOR_LIMIT_H_
