// SPDX-License-Identifier: Apache-2.0
// Draws random networks, serves and attacks each, and has the answers proven again. Exit code 0
// only if nothing is wrong.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "tests/soundness/audit/hostile_file.h"
#include "tests/soundness/audit/network_audit.h"

namespace lipserve {
namespace {

struct AuditFlags {
  std::uint64_t networks = 200;
  std::uint64_t seed = 0;
  std::size_t threads = 2;
  std::size_t hostile_models = 20;
  std::size_t hostile_certificates = 20;
  AuditOptions options;
};

// What is printed of one kind of aligned networks.
struct KindRow {
  std::uint64_t networks = 0;
  std::uint64_t in_ball = 0;
  double smallest_gap = std::numeric_limits<double>::infinity();
};

class Auditor {
 public:
  explicit Auditor(const AuditFlags& flags) : flags_(flags) {}

  void Run() {
    for (std::uint64_t i = next_++; i < flags_.networks; i = next_++) Audit(flags_.seed + i);
  }

  bool Print(double seconds) const {
    absl::PrintF("%-26s %9s %12s %10s   %s\n", "attack", "centres", "in-ball", "violations",
                 "smallest gap beyond the radius");
    for (const auto& [name, row] : total_.tally.rows()) Print(name, row);
    const AttackTally::Row total = total_.tally.Total();
    Print("total", total);
    absl::PrintF("\n%-26s %9s %12s   %s\n", "aligned networks", "networks", "in-ball",
                 "smallest gap");
    for (std::size_t kind = 0; kind < kNumSubjectKinds; ++kind) {
      absl::PrintF("%-26s %9d %12d   %.2e\n", SubjectKindName(static_cast<SubjectKind>(kind)),
                   kinds_[kind].networks, kinds_[kind].in_ball, kinds_[kind].smallest_gap);
    }
    absl::PrintF("\n%d networks, %d faults, %d answers proven again, %d of them certified\n",
                 flags_.networks, faults_, total_.proven_answers, total_.certified);
    absl::PrintF(
        "%d hostile model files: %d false norm claims, %d loaded with %d answers proven again\n",
        hostile_.model_files, hostile_.false_claims, hostile_.loaded, hostile_.proven_answers);
    absl::PrintF("%d forged certificates: %d accepted, all true\n", hostile_.certificates,
                 hostile_.accepted);
    absl::PrintF("%.0f s, %.1f s for the slowest network (seed %d)\n", seconds, slowest_,
                 slowest_seed_);
    return faults_ == 0 && total.violations == 0;
  }

 private:
  static void Print(const std::string& name, const AttackTally::Row& row) {
    absl::PrintF("%-26s %9d %12d %10d   %.2e\n", name, row.centers, row.in_ball, row.violations,
                 row.smallest_gap);
  }

  void Audit(std::uint64_t seed) {
    const auto begin = std::chrono::steady_clock::now();
    const RandomSubject subject = DrawSubject(seed);
    const auto result = AuditNetwork(subject, flags_.options, seed);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    HostileCounts hostile = TryHostileModels(subject, flags_.hostile_models, seed);
    hostile.Add(TryHostileCertificates(subject, flags_.hostile_certificates, seed));
    const std::lock_guard lock(mutex_);
    for (const std::string& fault : hostile.faults) PrintFault(seed, subject, fault);
    hostile_.Add(hostile);
    if (time.count() > slowest_) {
      slowest_ = time.count();
      slowest_seed_ = seed;
    }
    if (!result.ok()) return PrintFault(seed, subject, result.status().ToString());
    for (const std::string& fault : result->faults) PrintFault(seed, subject, fault);
    total_.Add(*result);
    if (!subject.aligned) return;
    KindRow& row = kinds_[static_cast<std::size_t>(subject.kind)];
    ++row.networks;
    row.in_ball += result->tally.Total().in_ball;
    row.smallest_gap = std::min(row.smallest_gap, result->tally.Total().smallest_gap);
  }

  void PrintFault(std::uint64_t seed, const RandomSubject& subject, const std::string& fault) {
    ++faults_;
    absl::PrintF("FAULT: seed %d (%s): %s\n", seed, subject.Description(), fault);
  }

  const AuditFlags& flags_;
  std::atomic<std::uint64_t> next_ = 0;
  std::mutex mutex_;
  AuditResult total_;
  HostileCounts hostile_;
  std::array<KindRow, kNumSubjectKinds> kinds_;
  std::uint64_t faults_ = 0;
  double slowest_ = 0.0;
  std::uint64_t slowest_seed_ = 0;
};

int Main(int argc, char** argv) {
  AuditFlags flags;
  CLI::App app{
      "Draws networks of all kinds of layers from a seed, serves each, attacks it in both "
      "precisions, and has its answers proven again by lipserve-verify's library."};
  app.add_option("--networks", flags.networks, "how many networks")->capture_default_str();
  app.add_option("--seed", flags.seed, "seed of the first network; the next ones count up")
      ->capture_default_str();
  app.add_option("--images", flags.options.images, "images attacked per network and precision")
      ->capture_default_str();
  app.add_option("--checked-images", flags.options.checked_images,
                 "images whose answers are proven again, per network")
      ->capture_default_str();
  app.add_option("--roundings", flags.options.effort.roundings,
                 "roundings tried at the radius, per ray")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--threads", flags.threads, "networks audited at the same time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--hostile-models", flags.hostile_models, "forged model files per network")
      ->capture_default_str();
  app.add_option("--hostile-certificates", flags.hostile_certificates,
                 "forged certificate files per network")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  Auditor auditor(flags);
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < flags.threads; ++i) {
    threads.emplace_back([&auditor] { auditor.Run(); });
  }
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  return auditor.Print(time.count()) ? 0 : 1;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) { return lipserve::Main(argc, argv); }
