// SPDX-License-Identifier: Apache-2.0
// Draws models that are costly to load, reads and loads each in a process of its own as a server
// does, and compares the time and memory that this takes with what was computed before it. Exit
// code 0 only if nothing takes more.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/certified_model.h"
#include "model/execution/onednn.h"
#include "tests/model/costly_models.h"
#include "tests/model/dense_convolution.h"
#include "tests/temporary_folder.h"

namespace lipserve {
namespace {

constexpr std::size_t kMaxBatch = 16;  // the server's default
// What a process takes that loads next to nothing, at most.
constexpr double kBaseBytes = 100e6;
constexpr double kBaseSeconds = 0.3;
// Of a file, to read, check and compute the cost.
constexpr double kSecondsPerByte = 4e-8;

// Shapes of any size that the format allows, as far as the file stays below 32 MB.
class CostlyDraw {
 public:
  explicit CostlyDraw(std::uint64_t seed) : random_(seed * 2654435761U + 17) {}

  FrozenModel Draw() {
    shape_ = {.channels = Size(64), .height = 1, .width = 1};
    const std::size_t most = (std::size_t{1} << 20U) / shape_.channels;
    if (!Chance(4)) {
      shape_.height = Size(most);
      shape_.width = Size(most / shape_.height);
    } else if (Chance(2)) {
      shape_.channels *= Size(most);
    }
    builder_ = std::make_unique<CostlyNetworkBuilder>(shape_);
    for (std::size_t layers = Below(4); layers > 0; --layers) AddLayer();
    std::size_t prototypes = Chance(4) ? 1 + Size(64) : 1;
    if (2 * prototypes * shape_.size() > weights_left_) prototypes = 1;
    std::size_t rows = Size(2048);
    if (prototypes > 1) rows = prototypes * (2 + rows / prototypes);
    while (rows * shape_.size() > weights_left_ && rows / prototypes > 2) {
      rows = std::max(rows / 2 / prototypes, std::size_t{2}) * prototypes;
    }
    builder_->Dense(rows);
    if (Chance(4)) builder_->TieRows();
    if (Chance(4)) builder_->WidenExponents();
    if (prototypes > 1) builder_->Prototypes(prototypes);
    return builder_->Build();
  }

 private:
  std::size_t Below(std::size_t end) { return static_cast<std::size_t>(random_() % end); }
  bool Chance(std::size_t one_in) { return Below(one_in) == 0; }
  // Of 1 to `most`, as many small ones as large ones.
  std::size_t Size(std::size_t most) {
    const double exponent =
        std::uniform_real_distribution(0.0, std::log2(static_cast<double>(most) + 0.999))(random_);
    return std::clamp<std::size_t>(static_cast<std::size_t>(std::exp2(exponent)), 1, most);
  }

  void Add(const FrozenLayer& layer, int times = 1) {
    for (int i = 0; i < times; ++i) {
      const SampleShape after = OutputShape(layer, shape_);
      if (after.size() > std::size_t{1} << 21U) break;
      builder_->Add(layer);
      shape_ = after;
    }
  }

  void AddLayer() {
    switch (Below(8)) {
      case 0:
      case 1:
      case 2:
        return AddConvolution();
      case 3: {
        const std::size_t outputs = Size(4096);
        if (outputs * shape_.size() > weights_left_) return;
        weights_left_ -= outputs * shape_.size();
        builder_->Dense(outputs);
        shape_ = {outputs, 1, 1};
        return;
      }
      case 4:
        return AddPotential();
      case 5:
        if (shape_.height % 2 == 0) Add(L2NormPoolLayer{.window_height = 2, .window_width = 1});
        return;
      default:
        return AddMany();
    }
  }

  WindowAxis Axis(PaddingMode mode, std::size_t length) {
    while (true) {
      const WindowAxis axis{.size = Size(length),
                            .stride = Size(length),
                            .dilation = Chance(2) ? 1 : Size(length),
                            .padding_before = Chance(2) ? 0 : Size(length),
                            .padding_after = Chance(2) ? 0 : Size(length)};
      if (IsValidPadding(axis, mode, length) && axis.outputs(length) >= 1) return axis;
    }
  }
  void AddConvolution() {
    const PaddingMode mode = kModes.at(Below(4));
    const WindowAxis vertical = Axis(mode, shape_.height);
    const WindowAxis horizontal = Axis(mode, shape_.width);
    const std::size_t groups = Chance(2) ? 1 : shape_.channels;
    const std::size_t channels = groups * Size(8);
    const std::size_t weights =
        channels * (shape_.channels / groups) * vertical.size * horizontal.size;
    const SampleShape after{channels, vertical.outputs(shape_.height),
                            horizontal.outputs(shape_.width)};
    const std::size_t padded =
        shape_.channels * vertical.padded(shape_.height) * horizontal.padded(shape_.width);
    if (weights > weights_left_ || std::max(after.size(), padded) > std::size_t{1} << 21U) return;
    weights_left_ -= weights;
    builder_->Convolution(channels, vertical, horizontal, groups, mode);
    shape_ = after;
  }
  void AddPotential() {
    const std::size_t size = 1 + 2 * Below(std::min({shape_.height, shape_.width, std::size_t{8}}));
    const std::size_t channels = Size(16);
    const std::size_t weights = channels * shape_.channels * size * size;
    if (weights > weights_left_ ||
        channels * shape_.height * shape_.width > std::size_t{1} << 21U ||
        size > std::min(shape_.height, shape_.width)) {
      return;
    }
    weights_left_ -= weights;
    builder_->ConvexPotential(
        channels, {.size = size, .padding_before = size / 2, .padding_after = size / 2});
  }
  // Up to thousands of layers that take a few bytes each.
  void AddMany() {
    const int times = static_cast<int>(Size(5000));
    switch (Below(6)) {
      case 0:
        return Add(AbsLayer{}, times);
      case 1:
        if (shape_.channels % 2 == 0) Add(MaxMinLayer{}, times);
        return;
      case 2:
        if (shape_.channels >= 2) Add(GroupSortLayer{.group_size = shape_.channels}, times);
        return;
      case 3:
        return Add(ConcatenatedReluLayer{}, times);
      case 4:
        if (shape_.channels > 64) return;
        return Add(PReluLayer{std::vector<float>(shape_.channels, 0.99F)}, times);
      default:
        if (shape_.channels % 2 != 0 || shape_.channels > 64) return;
        return Add(HouseholderLayer{std::vector<float>(shape_.channels, 0.7F)}, times);
    }
  }

  std::mt19937_64 random_;
  SampleShape shape_;
  std::unique_ptr<CostlyNetworkBuilder> builder_;
  std::size_t weights_left_ = std::size_t{1} << 23U;
};

// What the child tells its parent.
struct LoadReport {
  bool read = false;
  bool within_budget = false;
  bool loaded = false;
  double operations = 0.0;
  double bytes = 0.0;
};

LoadReport Load(const std::string& path) {
  onednn::UseStrictFloat32();
  onednn::SetThreadsOfThisThread(1);
  LoadReport report;
  absl::StatusOr<FrozenModel> frozen = ReadModelFile(path);
  if (!frozen.ok()) return report;
  report.read = true;
  report.within_budget = CheckLoadingCost(frozen->network, kMaxBatch, {}).ok();
  if (report.within_budget) {
    const LoadingCost cost = CostOfLoading(frozen->network, kMaxBatch);
    report.operations = cost.operations;
    report.bytes = cost.bytes;
  }
  report.loaded = CertifiedModel::Create(*std::move(frozen), kMaxBatch).ok();
  return report;
}

struct Totals {
  int models = 0;
  int loaded = 0;
  int refused_by_budget = 0;
  int refused_otherwise = 0;
  int faults = 0;
  double largest_time_share = 0.0;
  double largest_memory_share = 0.0;
  double largest_refusal_share = 0.0;  // of its time
};

void Audit(std::uint64_t seed, Totals& totals) {
  const TemporaryFolder folder;
  const std::string path = folder.path(kModelFileName);
  FrozenModel model = CostlyDraw(seed).Draw();
  const absl::Status written = WriteModelFile(path, model);
  if (!written.ok()) {
    absl::PrintF("seed %d: not written: %s\n", seed, std::string(written.message()));
    return;
  }
  std::string description;
  for (const FrozenLayer& layer : model.network.layers) {
    if (description.size() < 300) absl::StrAppend(&description, "; ", DescribeLayer(layer));
  }
  model = {};
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) std::abort();
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(300);
    const LoadReport report = Load(path);
    const bool told = ::write(pipe_ends[1], &report, sizeof(report)) == sizeof(report);
    ::_exit(told ? 0 : 1);
  }
  ::close(pipe_ends[1]);
  LoadReport report;
  const bool told = ::read(pipe_ends[0], &report, sizeof(report)) == sizeof(report);
  ::close(pipe_ends[0]);
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  const double seconds =
      static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
      1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  const double bytes = 1024.0 * static_cast<double>(usage.ru_maxrss);
  const auto file = static_cast<double>(std::filesystem::file_size(path));
  ++totals.models;
  const auto fault = [&](const std::string& text) {
    ++totals.faults;
    absl::PrintF("FAULT: seed %d, %.1f MB, %.2f s, %.0f MB: %s%s\n", seed, 1e-6 * file, seconds,
                 1e-6 * bytes, text, description);
  };
  if (!told || status != 0) return fault("it crashed or took 5 minutes");
  // Reading, checking and computing the cost: linear in the file.
  const double most_to_read = kBaseSeconds + kSecondsPerByte * file;
  if (!report.read || !report.within_budget) {
    ++(report.read ? totals.refused_by_budget : totals.refused_otherwise);
    totals.largest_refusal_share = std::max(totals.largest_refusal_share, seconds / most_to_read);
    if (report.loaded) fault("loaded, although it exceeds the budget");
    if (seconds > most_to_read) fault(absl::StrFormat("refused, stated %.2f s", most_to_read));
    if (bytes > kBaseBytes + 4.0 * file) fault("memory to refuse");
    return;
  }
  ++(report.loaded ? totals.loaded : totals.refused_otherwise);
  const double most_seconds = most_to_read + 1e-9 * report.operations;
  const double most_bytes = kBaseBytes + std::max(report.bytes, 4.0 * file);
  totals.largest_time_share = std::max(totals.largest_time_share, seconds / most_seconds);
  totals.largest_memory_share = std::max(totals.largest_memory_share, bytes / most_bytes);
  if (seconds > most_seconds) fault(absl::StrFormat("stated %.2f s", most_seconds));
  if (bytes > most_bytes) fault(absl::StrFormat("stated %.0f MB", 1e-6 * most_bytes));
}

int Main(int argc, char** argv) {
  std::uint64_t models = 200;
  std::uint64_t seed = 0;
  CLI::App app{
      "Draws models that are costly to load and compares time and memory with what was "
      "computed before."};
  app.add_option("--models", models, "how many models")->capture_default_str();
  app.add_option("--seed", seed, "seed of the first model; the next ones count up")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const auto begin = std::chrono::steady_clock::now();
  Totals totals;
  for (std::uint64_t i = 0; i < models; ++i) Audit(seed + i, totals);
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  absl::PrintF("%d models: %d loaded, %d refused by the budget, %d for other reasons; %d faults\n",
               totals.models, totals.loaded, totals.refused_by_budget, totals.refused_otherwise,
               totals.faults);
  absl::PrintF("largest time / stated: %.2f, of refusals %.2f; largest memory / stated: %.2f\n",
               totals.largest_time_share, totals.largest_refusal_share,
               totals.largest_memory_share);
  absl::PrintF("%.0f s\n", time.count());
  return totals.faults == 0 ? 0 : 1;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) { return lipserve::Main(argc, argv); }
