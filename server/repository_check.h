// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_CHECK_H_
#define SERVER_REPOSITORY_CHECK_H_

#include <ostream>

#include "server/operations/clock.h"
#include "server/server_options.h"

namespace lipserve {

// Proves every version of every model in the folder, one after another, as the server would. Writes
// a table of them to `out`, and every problem to `errors`.
//
// Requires: onednn::UseStrictFloat32 was called.
// Returns:  whether the server would start without any problem.
// Threads:  runs on the calling thread, and sets its OpenMP team to one thread.
bool CheckRepository(const ServerOptions& options, const Clock& clock, std::ostream& out,
                     std::ostream& errors);

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_CHECK_H_
