// SPDX-License-Identifier: Apache-2.0
// What certified classification adds to an RPC: Classify against a floor, a gRPC service with one
// completion queue and one poller that reads the same request and answers it with a ready response.
// Both run in this process, as does the client; they take turns, so that both meet the same noise.
//
// Usage: serving_benchmark [seconds per measurement]
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lipserve/v1/classifier.grpc.pb.h"
#include "model/execution/onednn.h"
#include "server/server.h"
#include "tests/server/small_model.h"

namespace lipserve {
namespace {

using BenchClock = std::chrono::steady_clock;
using Stub = v1::ClassifierService::Stub;

constexpr SampleShape kShape{1, 28, 28};
constexpr int kRounds = 5;

v1::ClassifyRequest OneImage() {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  std::vector<float> input(kShape.size());
  for (float& x : input) x = uniform(random);
  v1::ClassifyRequest request;
  request.set_model_name("demo");
  v1::ImageBatch& images = *request.mutable_images();
  images.set_element_type(v1::ELEMENT_TYPE_FP32);
  images.add_shape(1);
  images.add_shape(static_cast<std::int64_t>(kShape.size()));
  images.mutable_data()->assign(reinterpret_cast<const char*>(input.data()),
                                input.size() * sizeof(float));
  return request;
}

// The floor.
class EchoServer {
 public:
  explicit EchoServer(v1::ClassifyResponse response) : response_(std::move(response)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    for (int i = 0; i < 128; ++i) calls_.push_back(std::make_unique<Call>());
    for (const auto& call : calls_) Post(*call);
    poller_ = std::thread([this] { Poll(); });
  }
  ~EchoServer() {
    server_->Shutdown(std::chrono::system_clock::now());
    queue_->Shutdown();
    poller_.join();
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  int port() const { return port_; }

 private:
  struct Call {
    std::optional<grpc::ServerContext> context;
    std::optional<grpc::ServerAsyncResponseWriter<v1::ClassifyResponse>> responder;
    v1::ClassifyRequest request;
    bool answered = false;
  };

  void Post(Call& call) {
    call.responder.reset();
    call.context.emplace();
    call.responder.emplace(&*call.context);
    call.answered = false;
    service_.RequestClassify(&*call.context, &call.request, &*call.responder, queue_.get(),
                             queue_.get(), &call);
  }

  void Poll() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) {
      Call& call = *static_cast<Call*>(tag);
      if (call.answered) {
        Post(call);
      } else if (ok) {
        call.answered = true;
        call.responder->Finish(response_, grpc::Status::OK, &call);
      }
    }
  }

  const v1::ClassifyResponse response_;
  int port_ = 0;
  v1::ClassifierService::AsyncService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::thread poller_;
};

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// What a client saw.
struct Measurement {
  double qps = 0.0;
  double cpu_us = 0.0;  // of this whole process, client included, per request
  std::vector<double> latencies_us;
};

// Keeps `concurrency` calls in flight for `seconds`.
class LoadClient {
 public:
  LoadClient(int port, std::size_t concurrency) : calls_(concurrency) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = v1::ClassifierService::NewStub(grpc::CreateCustomChannel(
        "127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials(), arguments));
  }

  Measurement Run(double seconds) {
    Measurement result;
    const double cpu_start = CpuSeconds();
    const BenchClock::time_point start = BenchClock::now();
    const BenchClock::time_point end = start + Duration(seconds);
    for (Call& call : calls_) Start(call);
    std::size_t in_flight = calls_.size();
    while (in_flight > 0) {
      void* tag = nullptr;
      bool ok = false;
      queue_.Next(&tag, &ok);
      Call& call = *static_cast<Call*>(tag);
      if (!call.status.ok()) {
        std::fprintf(stderr, "call failed: %s\n", call.status.error_message().c_str());
        std::exit(1);
      }
      const BenchClock::time_point now = BenchClock::now();
      result.latencies_us.push_back(
          std::chrono::duration<double, std::micro>(now - call.start).count());
      if (now < end) {
        Start(call);
      } else {
        --in_flight;
      }
    }
    const auto count = static_cast<double>(result.latencies_us.size());
    result.qps = count / std::chrono::duration<double>(BenchClock::now() - start).count();
    result.cpu_us = 1e6 * (CpuSeconds() - cpu_start) / count;
    return result;
  }

  const v1::ClassifyResponse& last_response() const { return calls_.front().response; }

 private:
  struct Call {
    std::optional<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::ClassifyResponse>> reader;
    v1::ClassifyResponse response;
    grpc::Status status;
    BenchClock::time_point start;
  };

  static BenchClock::duration Duration(double seconds) {
    return std::chrono::duration_cast<BenchClock::duration>(std::chrono::duration<double>(seconds));
  }

  void Start(Call& call) {
    call.reader.reset();
    call.context.emplace();
    call.start = BenchClock::now();
    call.reader = stub_->AsyncClassify(&*call.context, request_, &queue_);
    call.reader->Finish(&call.response, &call.status, &call);
  }

  const v1::ClassifyRequest request_ = OneImage();
  std::unique_ptr<Stub> stub_;
  grpc::CompletionQueue queue_;
  std::vector<Call> calls_;
};

double Quantile(std::vector<double>& values, double q) {
  const auto place = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return values[static_cast<std::size_t>(place)];
}

// The measurements of one service, taken in rounds.
struct Contender {
  const char* name;
  int port;
  std::vector<double> qps;
  std::vector<double> cpu_us;
  std::vector<double> latencies_us;
};

void Compare(std::vector<Contender> contenders, std::size_t concurrency, double seconds) {
  for (int round = 0; round < kRounds; ++round) {
    for (Contender& contender : contenders) {
      LoadClient client(contender.port, concurrency);
      client.Run(seconds / 10);  // connects and warms up
      const Measurement measurement = client.Run(seconds);
      contender.qps.push_back(measurement.qps);
      contender.cpu_us.push_back(measurement.cpu_us);
      contender.latencies_us.insert(contender.latencies_us.end(), measurement.latencies_us.begin(),
                                    measurement.latencies_us.end());
    }
  }
  const double floor_qps = Quantile(contenders.front().qps, 0.5);
  std::printf("concurrency %zu\n", concurrency);
  for (Contender& contender : contenders) {
    const double qps = Quantile(contender.qps, 0.5);
    std::printf("  %-34s %7.0f QPS  p50 %6.0f us  p99 %6.0f us  cpu %5.1f us  %.2f of the floor\n",
                contender.name, qps, Quantile(contender.latencies_us, 0.5),
                Quantile(contender.latencies_us, 0.99), Quantile(contender.cpu_us, 0.5),
                qps / floor_qps);
  }
}

std::unique_ptr<Server> StartServer(const TemporaryFolder& folder, const Clock& clock,
                                    std::chrono::microseconds inline_budget) {
  ServerOptions options;
  options.models_folder = folder.path();
  options.grpc.port = 0;
  options.http.port = 0;
  options.workers = std::max(1U, std::thread::hardware_concurrency());
  options.pollers = std::max<std::size_t>(options.workers / 2, 1);
  options.inline_budget = inline_budget;
  std::unique_ptr<Server> server = Server::Start(options, clock).value();
  if (!server->WaitUntilServing().ok()) std::abort();
  return server;
}

int Run(double seconds) {
  onednn::UseStrictFloat32();
  const SteadyClock clock;
  const TemporaryFolder folder;
  folder.Add("demo", "1", SeededModel(1, kShape, 32, 10));
  const auto server = StartServer(folder, clock, ServerOptions().inline_budget);
  const auto queued = StartServer(folder, clock, std::chrono::microseconds(0));

  LoadClient once(server->grpc_address().port, 1);
  once.Run(0.0);
  EchoServer echo(once.last_response());
  std::printf(
      "Classify of one 784-float image, %.1f s x %d rounds; cpu is per request, of server "
      "and client together\n",
      seconds, kRounds);
  for (const std::size_t concurrency : {std::size_t{1}, std::size_t{16}, std::size_t{64}}) {
    Compare({{"floor: echo", echo.port(), {}, {}, {}},
             {"Classify", server->grpc_address().port, {}, {}, {}},
             {"Classify, --inline-budget-us 0", queued->grpc_address().port, {}, {}, {}}},
            concurrency, seconds);
  }
  return 0;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0.3;
  if (!(seconds > 0.0)) {
    std::fprintf(stderr, "usage: serving_benchmark [seconds per measurement]\n");
    return 2;
  }
  return lipserve::Run(seconds);
}
