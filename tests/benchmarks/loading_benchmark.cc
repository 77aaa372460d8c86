// SPDX-License-Identifier: Apache-2.0
// What it takes to read and load the costly models, or those whose name contains an argument: each
// from a file, in a process of its own with one thread, and beside it what was computed before. A
// model that the default budget refuses is loaded without a budget, for so many seconds at most.
//
//   loading_benchmark [NAME] [SECONDS] [FOLDER]
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "model/certified_model.h"
#include "model/execution/onednn.h"
#include "tests/model/costly_models.h"

namespace lipserve {
namespace {

constexpr std::size_t kMaxBatch = 16;  // the server's default

void Load(const std::string& path) {
  onednn::UseStrictFloat32();
  onednn::SetThreadsOfThisThread(1);
  absl::StatusOr<FrozenModel> frozen = ReadModelFile(path);
  absl::Status status = frozen.status();
  if (frozen.ok()) {
    const auto start = std::chrono::steady_clock::now();
    const LoadingCost cost = CostOfLoading(frozen->network, kMaxBatch);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    absl::PrintF("  computed in %.3f s: %.2g operations, %.0f MB\n", seconds.count(),
                 cost.operations, 1e-6 * cost.bytes);
    status = CheckLoadingCost(frozen->network, kMaxBatch, {});
    if (!status.ok()) absl::PrintF("  refused: %s\n", std::string(status.message()));
    std::fflush(stdout);
    status = CertifiedModel::Create(*std::move(frozen), kMaxBatch,
                                    {.budget = LoadingBudget::Unlimited()})
                 .status();
  }
  absl::PrintF("  %s\n", status.ok() ? "loaded" : std::string(status.message()));
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  const std::string part = argc > 1 ? argv[1] : "";
  const auto seconds = static_cast<rlim_t>(argc > 2 ? std::atoi(argv[2]) : 60);
  const std::string folder = argc > 3 ? argv[3] : std::filesystem::temp_directory_path().string();
  for (const CostlyModel& costly : CostlyModels()) {
    if (!absl::StrContains(costly.name, part)) continue;
    const std::filesystem::path version = std::filesystem::path(folder) / costly.name / "1";
    std::filesystem::create_directories(version);
    const std::string path = (version / kModelFileName).string();
    FrozenModel model = costly.make();
    const absl::Status written = WriteModelFile(path, model);
    model = {};
    if (!written.ok()) {
      absl::PrintF("%s: %s\n", costly.name, std::string(written.message()));
      continue;
    }
    std::fflush(stdout);
    const auto start = std::chrono::steady_clock::now();
    const pid_t child = ::fork();
    if (child == 0) {
      const rlimit limit{.rlim_cur = seconds, .rlim_max = seconds + 1};
      ::setrlimit(RLIMIT_CPU, &limit);
      Load(path);
      ::_exit(0);
    }
    int status = 0;
    rusage usage{};
    ::wait4(child, &status, 0, &usage);
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    absl::PrintF("%-32s file %7.3f MB %7.2f s (cpu %7.2f s) peak %7.1f MB%s\n", costly.name,
                 1e-6 * static_cast<double>(std::filesystem::file_size(path)), wall.count(), cpu,
                 1e-3 * static_cast<double>(usage.ru_maxrss), status == 0 ? "" : "  stopped");
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) { return lipserve::Main(argc, argv); }
