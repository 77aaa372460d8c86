// SPDX-License-Identifier: Apache-2.0
// What certified classification adds to an RPC: Classify against a floor, a gRPC service with one
// completion queue and one poller that reads the same request and answers it with a ready response.
// Each is a process of its own, as is the client; they take turns, so that all meet the same noise.
//
// Usage: serving_benchmark [seconds per measurement]
//        serving_benchmark sparse [calls]      rare calls: pauses of 0.2 to 2.5 s between them
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
#include "tests/benchmarks/echo_service.h"
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

// Whether something sleeps too deeply while nobody calls.
int RunSparse(int calls) {
  ServiceProcess floor(ServeEcho);
  ServiceProcess classify([](const std::string& /*given*/, const auto& take_port) {
    ServeModel(Demo(), OptionsOfThisMachine(), take_port);
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
  ServiceProcess floor(ServeEcho);
  ServiceProcess classify([](const std::string& /*given*/, const auto& take_port) {
    ServeModel(Demo(), OptionsOfThisMachine(), take_port);
  });
  ServiceProcess sleeping([](const std::string& /*given*/, const auto& take_port) {
    ServerOptions options = OptionsOfThisMachine();
    options.busy_poll = std::chrono::microseconds(0);
    ServeModel(Demo(), std::move(options), take_port);
  });
  ServiceProcess queued([](const std::string& /*given*/, const auto& take_port) {
    ServerOptions options = OptionsOfThisMachine();
    options.inline_budget = std::chrono::microseconds(0);
    ServeModel(Demo(), std::move(options), take_port);
  });
  const int classify_port = classify.Begin("");
  const int sleeping_port = sleeping.Begin("");
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
             {"Classify, --busy-poll-us 0", sleeping, sleeping_port, {}, {}, {}},
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
