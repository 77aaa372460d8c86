// SPDX-License-Identifier: Apache-2.0
// What an operator plans with: how many calls one core answers, what a second and a third server
// add on this machine, and what a model takes of memory. Real servers on loopback, one client.
//
// Usage: capacity_benchmark [seconds per measurement]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/integration/classify_load.h"
#include "tests/integration/demo_service.h"
#include "tests/server/http_get.h"

namespace lipserve {
namespace {

namespace fs = std::filesystem;

constexpr int kThreads = 16;
constexpr int kRounds = 3;
constexpr int kCopies = 64;

// The value of a series without labels on a /metrics page.
double ValueOf(const RunningServer& server, const std::string& series) {
  const std::string page = HttpGet(server.http_port, "/metrics");
  const std::string line = absl::StrCat("\n", series, " ");
  const std::size_t begin = page.find(line);
  return begin == std::string::npos ? 0.0
                                    : std::strtod(page.c_str() + begin + line.size(), nullptr);
}

[[noreturn]] void Fail(const absl::Status& status) {
  std::fprintf(stderr, "capacity_benchmark: %s\n", std::string(status.message()).c_str());
  std::exit(1);
}

RunningServer Serve(const std::string& models) {
  auto server = StartServer(models);
  if (!server.ok()) Fail(server.status());
  return *std::move(server);
}

double CpuSeconds(const std::vector<RunningServer>& servers) {
  double seconds = 0.0;
  for (const RunningServer& server : servers) {
    seconds += ValueOf(server, "process_cpu_seconds_total");
  }
  return seconds;
}

// Loads the servers and prints calls per second and the CPU time of the servers per call.
void MeasureThroughput(const std::vector<RunningServer>& servers, double seconds) {
  std::vector<std::string> addresses;
  for (const RunningServer& server : servers) addresses.push_back(server.grpc_address);
  ClassifyLoad load(absl::StrJoin(addresses, ","), kThreads);
  load.WaitForAnswers(1000);
  const double cpu_before = CpuSeconds(servers);
  const int answered_before = load.answered();
  const auto begin = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const int calls = load.answered() - answered_before;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const double cpu = CpuSeconds(servers) - cpu_before;
  load.Stop();
  if (!load.errors().empty()) Fail(absl::InternalError(load.errors().front()));
  std::printf("  %zu server%s  %7.0f calls/s  %5.1f us of server CPU per call, %6.0f per core\n",
              servers.size(), servers.size() == 1 ? " " : "s",
              static_cast<double>(calls) / took.count(), 1e6 * cpu / calls, calls / cpu);
}

void MeasureMemory(const std::string& model_file) {
  const fs::path folder = fs::path(model_file).parent_path().parent_path().parent_path();
  const double one = ValueOf(Serve(folder), "process_resident_memory_bytes");
  for (int copy = 0; copy < kCopies; ++copy) {
    const fs::path version = folder / absl::StrCat("copy", copy) / "1";
    fs::create_directories(version);
    fs::copy_file(model_file, version / "model.lip");
  }
  const double many = ValueOf(Serve(folder), "process_resident_memory_bytes");
  std::printf("  one model: %.1f MiB resident; each more of %.0f KiB: %.0f KiB\n", one / (1 << 20),
              static_cast<double>(fs::file_size(model_file)) / 1024, (many - one) / kCopies / 1024);
}

void Run(double seconds) {
  auto service = DemoService::Start();
  if (!service.ok()) Fail(service.status());
  std::printf("throughput, %d client threads beside the servers on %u cores\n", kThreads,
              std::thread::hardware_concurrency());
  for (int round = 0; round < kRounds; ++round) {
    std::vector<RunningServer> servers;
    servers.push_back(Serve((*service)->models_folder()));
    MeasureThroughput(servers, seconds);
    for (int more = 0; more < 2; ++more) servers.push_back(Serve((*service)->models_folder()));
    MeasureThroughput(servers, seconds);
  }
  std::printf("memory\n");
  MeasureMemory((*service)->model_path());
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) {
  lipserve::Run(argc > 1 ? std::atof(argv[1]) : 3.0);
  return 0;
}
