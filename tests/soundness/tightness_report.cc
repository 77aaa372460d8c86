// SPDX-License-Identifier: Apache-2.0
// What a certificate loses to rounding and to the slack of its proofs: 1 - radius / real radius
// over a whole data set. The real radius is what real arithmetic proves by the same argument: the
// exact margin over the true norms (real_radius.h).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/certified_model.h"
#include "model/execution/onednn.h"
#include "model/foundation/status_macros.h"
#include "model/network/pixel_scaling.h"
#include "proto/idx/idx_file.h"
#include "tests/soundness/adversarial_models.h"
#include "tests/soundness/real_radius.h"

namespace lipserve {
namespace {

struct Flags {
  std::vector<std::string> model_files;
  std::vector<std::size_t> sizes;
  std::string images;
  std::size_t count = 0;
  std::size_t threads = 2;
};

// The losses of one precision, one per image.
struct Losses {
  std::vector<double> values;
  std::size_t zero_radii = 0;

  void Add(double radius, Quad real) {
    if (radius == 0.0) ++zero_radii;
    values.push_back(static_cast<double>(1 - static_cast<Quad>(radius) / real));
  }
  void Add(const Losses& other) {
    values.insert(values.end(), other.values.begin(), other.values.end());
    zero_radii += other.zero_radii;
  }
  double Quantile(double q) const {
    std::vector<double> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
  }
};

struct Report {
  Losses tight;
  Losses fast;
};

// Measures images first, first + stride, ... of [count, input size].
Report Measure(const CertifiedModel& model, const RealRadius& real_radius,
               std::span<const std::uint8_t> images, std::size_t first, std::size_t stride) {
  onednn::SetThreadsOfThisThread(1);
  const std::size_t size = model.input_size();
  const PixelScaling scaling(model.frozen().pixel_divisor);
  const auto worker = model.NewWorker();
  std::vector<float> input(size);
  std::vector<Answer> answer(1);
  Report report;
  for (std::size_t i = first; i < images.size() / size; i += stride) {
    scaling.Apply(images.subspan(i * size, size), input);
    model.Classify({input.data(), 1, size}, *worker, answer, RadiusPrecision::kTight);
    const Quad real = real_radius.At(input, answer[0].class_index);
    if (real <= 0) continue;  // a tie: nothing to lose
    report.tight.Add(answer[0].radius_l2, real);
    model.Classify({input.data(), 1, size}, *worker, answer, RadiusPrecision::kFast);
    report.fast.Add(answer[0].radius_l2, real);
  }
  return report;
}

void PrintLosses(const char* precision, const Losses& losses) {
  absl::PrintF("  %s  median %.1e  p95 %.1e  max %.1e   r = 0: %d\n", precision,
               losses.Quantile(0.5), losses.Quantile(0.95), losses.Quantile(1.0),
               losses.zero_radii);
}

absl::Status ReportModel(const std::string& name, const FrozenModel& frozen,
                         std::span<const std::uint8_t> images, std::size_t threads) {
  onednn::SetThreadsOfThisThread(1);
  LIPSERVE_ASSIGN_OR_RETURN(const auto model, CertifiedModel::Create(frozen, 1));
  const std::size_t size = model->input_size();
  if (images.empty() || images.size() % size != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": expected images of ", size, " numbers, got ", images.size(),
                     " numbers in all; name the data that the model is for"));
  }
  const RealRadius real_radius(frozen.network);
  std::vector<Report> reports(threads);
  std::vector<std::thread> workers;
  for (std::size_t t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] { reports[t] = Measure(*model, real_radius, images, t, threads); });
  }
  for (std::thread& worker : workers) worker.join();
  for (std::size_t t = 1; t < threads; ++t) {
    reports[0].tight.Add(reports[t].tight);
    reports[0].fast.Add(reports[t].fast);
  }
  absl::PrintF("%s: loss of the radius over %d images\n", name, reports[0].tight.values.size());
  if (reports[0].tight.values.empty()) return absl::OkStatus();
  PrintLosses("TIGHT", reports[0].tight);
  PrintLosses("FAST ", reports[0].fast);
  return absl::OkStatus();
}

absl::Status Run(const Flags& flags) {
  LIPSERVE_ASSIGN_OR_RETURN(const IdxArray images, ReadIdxFile(flags.images));
  std::span<const std::uint8_t> pixels(images.values);
  const auto some = [&](std::size_t input_size) {
    return flags.count == 0 ? pixels
                            : pixels.first(std::min(pixels.size(), flags.count * input_size));
  };
  for (const std::string& file : flags.model_files) {
    LIPSERVE_ASSIGN_OR_RETURN(const FrozenModel model, ReadModelFile(file));
    LIPSERVE_RETURN_IF_ERROR(
        ReportModel(file, model, some(model.network.input_shape.size()), flags.threads));
  }
  if (flags.sizes.size() >= 2) {
    const FrozenModel model = ModelOf(OrthonormalNetwork(1, flags.sizes));
    LIPSERVE_RETURN_IF_ERROR(
        ReportModel(absl::StrCat("random orthonormal ", absl::StrJoin(flags.sizes, "-")), model,
                    some(flags.sizes.front()), flags.threads));
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  onednn::UseStrictFloat32();
  Flags flags;
  CLI::App app{"Reports what served radii lose against those of real arithmetic."};
  app.add_option("--model-file", flags.model_files, "model.lip to measure; may be given again");
  app.add_option("--sizes", flags.sizes,
                 "also a network of random orthonormal layers of these sizes, e.g. 784,512,512,10")
      ->delimiter(',');
  app.add_option("--images", flags.images, "idx file of images")->required();
  app.add_option("--count", flags.count, "measure only the first so many images; 0: all");
  app.add_option("--threads", flags.threads, "threads")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (const absl::Status status = Run(flags); !status.ok()) {
    absl::FPrintF(stderr, "tightness_report: %s\n", std::string(status.message()));
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) { return lipserve::Main(argc, argv); }
