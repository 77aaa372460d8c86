// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_CHECK_H_
#define SERVER_REPOSITORY_CHECK_H_

#include <ostream>

#include "server/operations/clock.h"
#include "server/server_options.h"

namespace lipserve {

// Proves every version of every model in the folder as the server would, one after the other, and
// writes a table of them to `out` and everything that is wrong to `errors`.
//
// Requires: onednn::UseStrictFloat32 was called.
// Returns:  whether the server would start and there is nothing wrong.
// Threads:  runs on the calling thread, whose OpenMP team it sets to one thread.
bool CheckRepository(const ServerOptions& options, const Clock& clock, std::ostream& out,
                     std::ostream& errors);

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_CHECK_H_
