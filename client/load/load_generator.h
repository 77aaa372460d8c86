// SPDX-License-Identifier: Apache-2.0
// Sends calls to a server as fast as it answers, or at a rate of its own.
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

// What became of the calls that were due between the end of the warm-up and the end of the run.
struct LoadResult {
  absl::Duration duration;
  std::map<grpc::StatusCode, std::uint64_t> calls;  // by how they ended
  LatencyHistogram answered;                        // OK
  LatencyHistogram refused;                         // RESOURCE_EXHAUSTED: how soon it was told
  LatencyHistogram refused_since_sent;              // the same, without the generator's lateness
  std::uint64_t images = 0;                         // in answers
  std::uint64_t uncertified = 0;                    // answers with a radius of 0
  LatencyHistogram sent_late;                       // of an open loop: from due to sent
  std::uint64_t unsent = 0;                         // due, but all `outstanding` were in flight
  std::string first_error;  // what the server said first, if anything failed

  std::uint64_t total() const;
};

// Sends `requests` in turn, again and again, over connections that repeat nothing, and waits for
// the last answer.
//
// Without a rate (closed loop) `outstanding` calls are in flight at any time, each timed from when
// it was sent. With a rate (open loop) calls are due at even distances whether the server keeps up
// or not, and each is timed from when it was due, also where all `outstanding` calls were in flight
// and it had to wait: a server that stalls is charged for those that came meanwhile. What is still
// waiting at the end is not sent. How late calls were sent tells a generator that cannot keep up,
// or that got no CPU, from a server that cannot: its requests are serialised once and for all, so
// that it needs as little as possible.
//
// Source:   Schroeder, Wierman, Harchol-Balter 2006, Open versus closed; Tene, How not to measure
//           latency (coordinated omission).
// Requires: at least one request; at least one connection, and as many outstanding calls as
//           connections; a positive duration, and rate if there is one.
LoadResult GenerateLoad(const std::vector<v1::ClassifyRequest>& requests,
                        const LoadOptions& options);

}  // namespace lipserve

#endif  // CLIENT_LOAD_LOAD_GENERATOR_H_
