// SPDX-License-Identifier: Apache-2.0
// What certified classification adds to an RPC: Classify against a floor, a gRPC service with one
// completion queue and one poller that reads the same request and answers it with a ready response.
// Each is a process of its own, as is the client; they take turns, so that all meet the same noise.
//
// Usage: serving_benchmark [seconds per measurement]
//        serving_benchmark sparse [calls]      rare calls: pauses of 0.2 to 2.5 s between them
#include <grpcpp/grpcpp.h>

#include <chrono>
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
#include "server/server_options.h"
#include "tests/benchmarks/classify_client.h"
#include "tests/benchmarks/service_process.h"
#include "tests/server/small_model.h"

namespace lipserve {
namespace {

constexpr SampleShape kShape{1, 28, 28};
constexpr int kRounds = 5;

v1::ClassifyRequest OneImage() {
  return RandomRequest("demo", v1::ELEMENT_TYPE_FP32, 1, kShape.size());
}

FrozenModel Demo() {
  FrozenModel model = SeededModel(1, kShape, 32, 10);
  model.name = "demo";
  return model;
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

// The measurements of one service, taken in rounds.
struct Contender {
  const char* name;
  ServiceProcess& process;
  int port;
  std::vector<double> qps;
  std::vector<double> cpu_us;
  std::vector<double> latencies_us;
};

void Compare(std::vector<Contender> contenders, std::size_t concurrency, double seconds) {
  for (int round = 0; round < kRounds; ++round) {
    for (Contender& contender : contenders) {
      ClassifyClient client(contender.port, concurrency, OneImage());
      client.Run(seconds / 10);  // connects and warms up
      const double cpu_start = contender.process.CpuSeconds();
      const Measurement measurement = client.Run(seconds);
      const auto calls = static_cast<double>(measurement.latencies_us.size());
      contender.cpu_us.push_back(1e6 * (contender.process.CpuSeconds() - cpu_start) / calls);
      contender.qps.push_back(measurement.calls_per_second);
      contender.latencies_us.insert(contender.latencies_us.end(), measurement.latencies_us.begin(),
                                    measurement.latencies_us.end());
    }
  }
  const double floor_qps = Quantile(contenders.front().qps, 0.5);
  const double floor_cpu = Quantile(contenders.front().cpu_us, 0.5);
  std::printf("concurrency %zu\n", concurrency);
  for (Contender& contender : contenders) {
    const double qps = Quantile(contender.qps, 0.5);
    const double cpu = Quantile(contender.cpu_us, 0.5);
    std::printf(
        "  %-31s %6.0f QPS (%.2f of the floor)  p50 %5.0f us  p99 %5.0f us  cpu %5.1f us (%.2f)\n",
        contender.name, qps, qps / floor_qps, Quantile(contender.latencies_us, 0.5),
        Quantile(contender.latencies_us, 0.99), cpu, cpu / floor_cpu);
  }
}

void ServeFloor(const std::string& answer, const ServiceProcess::PortTaker& take_port) {
  v1::ClassifyResponse response;
  if (!response.ParseFromString(answer)) std::abort();
  const EchoServer echo(response);
  take_port(echo.port());
}

// Whether something sleeps too deeply while nobody calls.
int RunSparse(int calls) {
  ServiceProcess floor(ServeFloor);
  ServiceProcess classify([](const std::string& /*given*/, const auto& take_port) {
    ServeModel(Demo(), ServerOptions().inline_budget, take_port);
  });
  ClassifyClient client(classify.Begin(""), 1, OneImage());
  client.Run(0.0);
  ClassifyClient floor_client(floor.Begin(client.last_response().SerializeAsString()), 1,
                              OneImage());
  floor_client.Run(0.0);
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> pause(0.2, 2.5);
  std::vector<double> latencies_us;
  std::vector<double> floor_us;
  for (int i = 0; i < calls; ++i) {
    std::this_thread::sleep_for(std::chrono::duration<double>(pause(random)));
    latencies_us.push_back(client.Run(0.0).latencies_us.front());
    floor_us.push_back(floor_client.Run(0.0).latencies_us.front());
  }
  std::printf("one call at a time, 0.2 to 2.5 s after the last one, %d calls\n", calls);
  for (auto& [name, values] :
       {std::pair<const char*, std::vector<double>&>{"Classify", latencies_us},
        {"floor: echo, just after it", floor_us}}) {
    std::printf("  %-31s p50 %5.0f us  p99 %5.0f us  max %5.0f us\n", name, Quantile(values, 0.5),
                Quantile(values, 0.99), Quantile(values, 1.0));
  }
  return 0;
}

int Run(double seconds) {
  ServiceProcess floor(ServeFloor);
  ServiceProcess classify([](const std::string& /*given*/, const auto& take_port) {
    ServeModel(Demo(), ServerOptions().inline_budget, take_port);
  });
  ServiceProcess queued([](const std::string& /*given*/, const auto& take_port) {
    ServeModel(Demo(), std::chrono::microseconds(0), take_port);
  });
  const int classify_port = classify.Begin("");
  const int queued_port = queued.Begin("");
  ClassifyClient once(classify_port, 1, OneImage());
  once.Run(0.0);
  const int floor_port = floor.Begin(once.last_response().SerializeAsString());

  std::printf(
      "Classify of one 784-float image, %.1f s x %d rounds; cpu is the server's, per call\n",
      seconds, kRounds);
  for (const std::size_t concurrency : {std::size_t{1}, std::size_t{16}, std::size_t{64}}) {
    Compare({{"floor: echo", floor, floor_port, {}, {}, {}},
             {"Classify", classify, classify_port, {}, {}, {}},
             {"Classify, --inline-budget-us 0", queued, queued_port, {}, {}, {}}},
            concurrency, seconds);
  }
  return 0;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "sparse") {
    const int calls = argc > 2 ? std::atoi(argv[2]) : 150;
    if (calls > 0) return lipserve::RunSparse(calls);
  } else if (const double seconds = argc > 1 ? std::atof(argv[1]) : 0.3; seconds > 0.0) {
    return lipserve::Run(seconds);
  }
  std::fprintf(stderr, "usage: serving_benchmark [seconds per measurement | sparse [calls]]\n");
  return 2;
}
