// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BENCHMARKS_CLASSIFY_CLIENT_H_
#define TESTS_BENCHMARKS_CLASSIFY_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lipserve/v1/classifier.grpc.pb.h"

namespace lipserve {

// A request for `images` random images of `input_size` numbers in [0, 1], or of as many pixels.
v1::ClassifyRequest RandomRequest(const std::string& model, v1::ElementType type,
                                  std::size_t images, std::size_t input_size);

// What a client saw.
struct Measurement {
  double calls_per_second = 0.0;
  std::vector<double> latencies_us;
};

// Calls of one connection. Ends the program if a call fails.
class ClassifyClient {
 public:
  ClassifyClient(int port, std::size_t concurrency, v1::ClassifyRequest request);

  // Keeps `concurrency` calls in flight for `seconds`.
  Measurement Run(double seconds);

  const v1::ClassifyResponse& last_response() const { return calls_.front().response; }

 private:
  struct Call {
    std::optional<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::ClassifyResponse>> reader;
    v1::ClassifyResponse response;
    grpc::Status status;
    std::chrono::steady_clock::time_point start;
  };

  void Start(Call& call);

  const v1::ClassifyRequest request_;
  std::unique_ptr<v1::ClassifierService::Stub> stub_;
  grpc::CompletionQueue queue_;
  std::vector<Call> calls_;
};

// The value at or below which the fraction q of `values` lies; reorders them. Requires: not empty.
double Quantile(std::vector<double>& values, double q);

}  // namespace lipserve

#endif  // TESTS_BENCHMARKS_CLASSIFY_CLIENT_H_
