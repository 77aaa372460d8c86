// SPDX-License-Identifier: Apache-2.0
// Load for any server of the Open Inference Protocol, so that two can be compared: so many calls of
// ModelInfer with one image outstanding on one connection, for a while. The request is serialised
// once and the answers are not parsed, so that the client costs the same whoever answers.
//
// Usage: inference_load HOST:PORT MODEL INPUT_SIZE OUTSTANDING SECONDS
// Prints one JSON object.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "client/load/latency_histogram.h"
#include "inference/grpc_service.pb.h"

namespace lipserve {
namespace {

using LoadClock = std::chrono::steady_clock;

constexpr char kMethod[] = "/inference.GRPCInferenceService/ModelInfer";
constexpr std::chrono::seconds kWarmUp{1};

grpc::ByteBuffer OneImage(const std::string& model, std::size_t input_size) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  std::vector<float> input(input_size);
  for (float& x : input) x = uniform(random);
  inference::ModelInferRequest request;
  request.set_model_name(model);
  auto& images = *request.add_inputs();
  images.set_name("images");
  images.set_datatype("FP32");
  images.add_shape(1);
  images.add_shape(static_cast<std::int64_t>(input_size));
  request.add_raw_input_contents(
      std::string(reinterpret_cast<const char*>(input.data()), input_size * sizeof(float)));
  const grpc::Slice slice(request.SerializeAsString());
  return {&slice, 1};
}

// One call after the other.
struct Caller {
  std::optional<grpc::ClientContext> context;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  grpc::ByteBuffer response;
  grpc::Status status;
  LoadClock::time_point start;
};

class Load {
 public:
  Load(const std::string& address, grpc::ByteBuffer request)
      : stub_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
        request_(std::move(request)) {}

  // Returns the seconds that were counted.
  double Run(std::size_t outstanding, std::chrono::seconds duration) {
    std::vector<std::unique_ptr<Caller>> callers;
    for (std::size_t i = 0; i < outstanding; ++i) {
      callers.push_back(std::make_unique<Caller>());
      Start(*callers.back());
    }
    const LoadClock::time_point begin = LoadClock::now() + kWarmUp;
    const LoadClock::time_point end = begin + duration;
    for (std::size_t running = outstanding; running > 0;) {
      void* tag = nullptr;
      bool ok = false;
      if (!queue_.Next(&tag, &ok)) std::abort();
      auto& caller = *static_cast<Caller*>(tag);
      const LoadClock::time_point now = LoadClock::now();
      if (now >= begin && now < end) Count(caller, now);
      if (now < end) {
        Start(caller);
      } else {
        --running;
      }
    }
    return std::chrono::duration<double>(duration).count();
  }

  const LatencyHistogram& answered() const { return answered_; }
  std::uint64_t failed() const { return failed_; }
  const std::string& first_error() const { return first_error_; }

 private:
  void Start(Caller& caller) {
    caller.context.emplace();
    caller.context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    caller.start = LoadClock::now();
    caller.reader = stub_.PrepareUnaryCall(&*caller.context, kMethod, request_, &queue_);
    caller.reader->StartCall();
    caller.reader->Finish(&caller.response, &caller.status, &caller);
  }

  void Count(const Caller& caller, LoadClock::time_point now) {
    if (caller.status.ok()) return answered_.Record(now - caller.start);
    if (failed_++ == 0) first_error_ = caller.status.error_message();
  }

  grpc::GenericStub stub_;
  const grpc::ByteBuffer request_;
  grpc::CompletionQueue queue_;
  LatencyHistogram answered_;
  std::uint64_t failed_ = 0;
  std::string first_error_;
};

double Milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

int Main(const std::string& address, const std::string& model, std::size_t input_size,
         std::size_t outstanding, std::chrono::seconds duration) {
  Load load(address, OneImage(model, input_size));
  const double seconds = load.Run(outstanding, duration);
  const LatencyHistogram& answered = load.answered();
  std::printf(
      "{\"outstanding\":%zu,\"calls_per_second\":%.1f,\"p50_ms\":%.4f,\"p99_ms\":%.4f,"
      "\"answered\":%llu,\"failed\":%llu}\n",
      outstanding, static_cast<double>(answered.count()) / seconds,
      Milliseconds(answered.Quantile(0.5)), Milliseconds(answered.Quantile(0.99)),
      static_cast<unsigned long long>(answered.count()),
      static_cast<unsigned long long>(load.failed()));
  if (load.failed() == 0 && answered.count() > 0) return 0;
  std::fprintf(stderr, "inference_load: %s\n", load.first_error().c_str());
  return 1;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: %s HOST:PORT MODEL INPUT_SIZE OUTSTANDING SECONDS\n", argv[0]);
    return 2;
  }
  return lipserve::Main(argv[1], argv[2], std::strtoul(argv[3], nullptr, 10),
                        std::strtoul(argv[4], nullptr, 10),
                        std::chrono::seconds(std::strtol(argv[5], nullptr, 10)));
}
