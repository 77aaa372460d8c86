// SPDX-License-Identifier: Apache-2.0
// Sends calls to a server: as fast as it answers (closed loop), or at a fixed rate (open loop).
#ifndef CLIENT_LOAD_LOAD_GENERATOR_H_
#define CLIENT_LOAD_LOAD_GENERATOR_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/load/latency_histogram.h"
#include "lipserve/v1/classifier.pb.h"

namespace lipserve {

struct LoadOptions {
  std::string target;  // as ToGrpcTarget returns it
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  std::size_t connections = 1;   // each with a thread of its own
  std::size_t outstanding = 16;  // calls in flight, of all connections together
  std::optional<double> rate;    // calls per second; without it, each answer starts the next call
  absl::Duration warm_up = absl::Seconds(1);
  absl::Duration duration = absl::Seconds(10);
  absl::Duration timeout = absl::Seconds(10);  // of each call
};

// The results of the calls that were due between the end of the warm-up and the end of the run.
struct LoadResult {
  absl::Duration duration;
  std::map<grpc::StatusCode, std::uint64_t> calls;  // by how they ended
  LatencyHistogram answered;                        // OK
  LatencyHistogram refused;                         // RESOURCE_EXHAUSTED: time until the refusal
  LatencyHistogram refused_since_sent;              // the same, without the generator's lateness
  std::uint64_t images = 0;                         // in answers
  std::uint64_t uncertified = 0;                    // answers with a radius of 0
  LatencyHistogram sent_late;                       // of an open loop: from due to sent
  std::uint64_t unsent = 0;                         // due, but all `outstanding` were in flight
  std::string first_error;  // what the server said first, if anything failed

  std::uint64_t total() const;
};

// Sends `requests` in turn, over and over, on connections that never retry, and waits for the last
// answer.
//
// Without a rate (closed loop) `outstanding` calls are in flight at any time, each timed from when
// it was sent. With a rate (open loop) calls are due at even intervals, whether the server keeps up
// or not. Each is timed from when it was due, even if it had to wait because all `outstanding`
// calls were in flight. So a stall of the server counts in the latency of every call that was due
// meanwhile. Calls that still wait at the end are not sent. `sent_late` tells a slow generator, or
// one without CPU time, from a slow server. Requests are serialised once, in advance, so that the
// generator needs little CPU time.
//
// Source:   Schroeder, Wierman, Harchol-Balter 2006, Open versus closed; Tene, How not to measure
//           latency (coordinated omission).
// Requires: at least one request; at least one connection, and as many outstanding calls as
//           connections; a positive duration, and rate if there is one.
LoadResult GenerateLoad(const std::vector<v1::ClassifyRequest>& requests,
                        const LoadOptions& options);

}  // namespace lipserve

#endif  // CLIENT_LOAD_LOAD_GENERATOR_H_
