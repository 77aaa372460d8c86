// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BENCHMARKS_ECHO_SERVICE_H_
#define TESTS_BENCHMARKS_ECHO_SERVICE_H_

#include <string>

#include "tests/benchmarks/service_process.h"

namespace lipserve {

// The floor of every server that uses gRPC: one completion queue and one poller, which reads
// requests of Classify and answers each with `answer`, a serialised ClassifyResponse.
void ServeEcho(const std::string& answer, const ServiceProcess::PortTaker& take_port);

}  // namespace lipserve

#endif  // TESTS_BENCHMARKS_ECHO_SERVICE_H_
