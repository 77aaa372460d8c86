// SPDX-License-Identifier: Apache-2.0
// How much of what the machine could compute arrives at a client: calls of lipserve-server against
// the bound, which is the certified classification of the same images (oneDNN and certificate) on
// as many threads and without a network. Server and client are a process each, on the same cores,
// so that what the client needs counts against the server in the images per second; in the CPU per
// image it does not. Beside it stands what the same messages cost a gRPC service that only reads
// them and answers, per image: what is beyond bound and floor together is the server's own. In
// turns, so that all meet the same noise.
//
// Usage: bound_benchmark [seconds per measurement]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "model/certified_model.h"
#include "model/execution/onednn.h"
#include "server/operations/clock.h"
#include "server/repository/batch_calibration.h"
#include "server/server_options.h"
#include "tests/benchmarks/classify_client.h"
#include "tests/benchmarks/echo_service.h"
#include "tests/benchmarks/service_process.h"
#include "tests/model/orthonormal_network.h"

namespace lipserve {
namespace {

constexpr int kRounds = 5;
constexpr std::size_t kInputs = 784;

struct Throughput {
  std::vector<double> images_per_second;
  std::vector<double> cpu_us;  // per image
};

// Batches of `images`, one after the other on each of as many threads as the server computes with.
class Bound {
 public:
  Bound(const FrozenModel& model, std::size_t images)
      : model_(CertifiedModel::Create(model, images).value()),
        images_(images),
        threads_(std::max(1U, std::thread::hardware_concurrency())) {
    std::mt19937_64 random(1);
    for (std::size_t i = 0; i < images * kInputs; ++i) {
      inputs_.push_back(static_cast<float>(random() >> 56U) / 255.0F);
    }
  }

  void Measure(double seconds, Throughput& result) const {
    std::vector<double> cpu_seconds(threads_);
    std::vector<std::size_t> computed(threads_);
    const SteadyClock clock;
    const Clock::TimePoint start = clock.Now();
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < threads_; ++i) {
      threads.emplace_back([&, i] {
        onednn::SetThreadsOfThisThread(1);
        const auto worker = model_->NewWorker();
        std::vector<Answer> answers(images_);
        const Clock::TimePoint cpu_start = ThreadCpuClock().Now();
        while (SecondsBetween(start, clock.Now()) < seconds) {
          model_->Classify({inputs_.data(), images_, kInputs}, *worker, answers,
                           RadiusPrecision::kTight);
          computed[i] += images_;
        }
        cpu_seconds[i] = SecondsBetween(cpu_start, ThreadCpuClock().Now());
      });
    }
    for (std::thread& thread : threads) thread.join();
    double images = 0.0;
    double cpu = 0.0;
    for (std::size_t i = 0; i < threads_; ++i) {
      images += static_cast<double>(computed[i]);
      cpu += cpu_seconds[i];
    }
    result.images_per_second.push_back(images / SecondsBetween(start, clock.Now()));
    result.cpu_us.push_back(1e6 * cpu / images);
  }

 private:
  std::shared_ptr<const CertifiedModel> model_;
  std::size_t images_;
  std::size_t threads_;
  std::vector<float> inputs_;
};

struct Case {
  const char* name;
  v1::ElementType type;
  std::size_t images;       // of a call
  std::size_t outstanding;  // calls
};

void MeasureCalls(const ServiceProcess& process, int port, const FrozenModel& model,
                  const Case& which, double seconds, Throughput& result) {
  ClassifyClient client(port, which.outstanding,
                        RandomRequest(model.name, which.type, which.images, kInputs));
  client.Run(seconds / 10);  // connects and warms up
  const double cpu_start = process.CpuSeconds();
  const Measurement measurement = client.Run(seconds);
  const auto images = static_cast<double>(measurement.latencies_us.size() * which.images);
  result.cpu_us.push_back(1e6 * (process.CpuSeconds() - cpu_start) / images);
  result.images_per_second.push_back(measurement.calls_per_second *
                                     static_cast<double>(which.images));
}

// The answer to one call, for the floor to give.
std::string OneAnswer(int port, const FrozenModel& model, std::size_t images) {
  ClassifyClient client(port, 1,
                        RandomRequest(model.name, v1::ELEMENT_TYPE_UINT8, images, kInputs));
  client.Run(0.0);
  return client.last_response().SerializeAsString();
}

void Compare(const char* name, const ServiceProcess& server, int port, ServiceProcess& floor,
             const FrozenModel& model, std::size_t batch, const std::vector<Case>& cases,
             double seconds) {
  const int floor_port = floor.Begin(OneAnswer(port, model, cases.front().images));
  const Bound bound(model, batch);
  Throughput most;
  std::vector<Throughput> served(cases.size());
  std::vector<Throughput> echoed(cases.size());
  for (int round = 0; round < kRounds; ++round) {
    bound.Measure(seconds, most);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      MeasureCalls(server, port, model, cases[i], seconds, served[i]);
      MeasureCalls(floor, floor_port, model, cases[i], seconds, echoed[i]);
    }
  }
  const double most_images = Quantile(most.images_per_second, 0.5);
  const double least_cpu = Quantile(most.cpu_us, 0.5);
  std::printf("%s\n  %-34s %8.0f images/s           cpu %6.2f us per image\n", name,
              ("bound: batches of " + std::to_string(batch)).c_str(), most_images, least_cpu);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const double images = Quantile(served[i].images_per_second, 0.5);
    const double cpu = Quantile(served[i].cpu_us, 0.5);
    const double floor_images = Quantile(echoed[i].images_per_second, 0.5);
    const double floor_cpu = Quantile(echoed[i].cpu_us, 0.5);
    std::printf("  %-34s %8.0f images/s (%.2f)    cpu %6.2f us per image (%.2f of it the bound)\n",
                cases[i].name, images, images / most_images, cpu, least_cpu / cpu);
    std::printf("  %-34s %8.0f images/s           cpu %6.2f us per image (with the bound %.2f)\n",
                "  floor: the same messages, echo", floor_images, floor_cpu,
                (least_cpu + floor_cpu) / cpu);
  }
}

FrozenModel Named(const char* name, const std::vector<std::size_t>& sizes) {
  FrozenModel model = ModelOf(OrthonormalNetwork(1, sizes));
  model.name = name;
  return model;
}

int Run(double seconds) {
  const FrozenModel demo = Named("demo", {kInputs, 32, 16, 1});
  const FrozenModel wide = Named("wide", {kInputs, 512, 512, 10});
  const auto serve = [](const FrozenModel& model) {
    return [&model](const std::string& /*given*/, const auto& take_port) {
      ServeModel(model, OptionsOfThisMachine(), take_port);
    };
  };
  ServiceProcess demo_process(serve(demo));
  ServiceProcess wide_process(serve(wide));
  ServiceProcess floors[] = {ServiceProcess(ServeEcho), ServiceProcess(ServeEcho),
                             ServiceProcess(ServeEcho), ServiceProcess(ServeEcho)};
  onednn::UseStrictFloat32();
  const int demo_port = demo_process.Begin("");
  const int wide_port = wide_process.Begin("");
  std::printf("Classify against oneDNN and certificate alone, TIGHT, %.1f s x %d rounds\n", seconds,
              kRounds);
  const std::vector<Case> large = {
      {"64 images per call, UINT8, 8 calls", v1::ELEMENT_TYPE_UINT8, 64, 8},
      {"64 images per call, FP32, 8 calls", v1::ELEMENT_TYPE_FP32, 64, 8}};
  const std::vector<Case> single = {
      {"1 image per call, UINT8, 64 calls", v1::ELEMENT_TYPE_UINT8, 1, 64},
      {"1 image per call, FP32, 64 calls", v1::ELEMENT_TYPE_FP32, 1, 64}};
  Compare("demo 784-32-16-1", demo_process, demo_port, floors[0], demo, 64, large, seconds);
  Compare("demo 784-32-16-1", demo_process, demo_port, floors[1], demo, 16, single, seconds);
  Compare("wide 784-512-512-10", wide_process, wide_port, floors[2], wide, 64, large, seconds);
  Compare("wide 784-512-512-10", wide_process, wide_port, floors[3], wide, 16, single, seconds);
  return 0;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0.5;
  if (!(seconds > 0.0)) {
    std::fprintf(stderr, "usage: bound_benchmark [seconds per measurement]\n");
    return 2;
  }
  return lipserve::Run(seconds);
}
