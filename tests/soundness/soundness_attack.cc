// SPDX-License-Identifier: Apache-2.0
// Attacks the certificates of a running server. Exit code 0 only if no violation was found.
#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/idx/idx_file.h"
#include "tests/soundness/attacks/attacks.h"

namespace lipserve {
namespace {

struct Flags {
  std::string server = "127.0.0.1:8001";
  std::string model_file;
  std::string images;
  std::string model_name;
  std::uint64_t candidates = 100000;
  std::uint64_t seed = 0;
  std::size_t threads = 2;
  AttackEffort effort{.roundings = 500,
                      .projected_gradient_steps = 500,
                      .projected_gradient_restarts = 2,
                      .deep_fool_steps = 100,
                      .carlini_wagner_steps = 100,
                      .nearest_pair_steps = 20};
};

// One attacker with a connection and a seed of its own; it takes every `threads`-th image until
// `in_ball`, which all attackers count up, reaches the flag.
class Attacker {
 public:
  Attacker(const Flags& flags, std::size_t index, const IdxArray& images,
           std::atomic<std::uint64_t>& in_ball)
      : flags_(flags), index_(index), images_(images), in_ball_(in_ball) {}

  void Run() { status_ = Attack(); }

  const absl::Status& status() const { return status_; }
  const AttackTally& tally() const { return tally_; }

 private:
  absl::Status Attack() {
    const auto target =
        AttackTarget::Connect(flags_.server, flags_.model_file, {.name = flags_.model_name});
    if (!target.ok()) return target.status();
    const std::size_t size = target->input_size();
    const std::size_t count = images_.values.size() / size;
    if (count == 0 || images_.values.size() % size != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          flags_.images, ": expected images of the model's ", size, " numbers, got ",
          images_.values.size(), " numbers in all; name the data that the model is for"));
    }
    AttackSession session(*target, flags_.effort, flags_.seed * 1000003 + index_);
    std::uint64_t counted = 0;
    for (std::uint64_t image = flags_.seed * 7919 + index_; in_ball_ < flags_.candidates;
         image += flags_.threads) {
      const auto pixels = std::span(images_.values).subspan(image % count * size, size);
      if (absl::Status status = AttackImage(session, pixels); !status.ok()) return status;
      const std::uint64_t now = session.tally().Total().in_ball;
      in_ball_ += now - counted;
      counted = now;
    }
    tally_ = session.tally();
    return absl::OkStatus();
  }

  const Flags& flags_;
  std::size_t index_;
  const IdxArray& images_;
  std::atomic<std::uint64_t>& in_ball_;
  absl::Status status_;
  AttackTally tally_;
};

absl::StatusOr<AttackTally> AttackWithAllThreads(const Flags& flags) {
  const auto images = ReadIdxFile(flags.images);
  if (!images.ok()) return images.status();
  std::atomic<std::uint64_t> in_ball = 0;
  std::vector<Attacker> attackers;
  for (std::size_t i = 0; i < flags.threads; ++i) {
    attackers.emplace_back(flags, i, *images, in_ball);
  }
  std::vector<std::thread> threads;
  for (Attacker& attacker : attackers) threads.emplace_back([&attacker] { attacker.Run(); });
  for (std::thread& thread : threads) thread.join();
  AttackTally tally;
  for (const Attacker& attacker : attackers) {
    if (!attacker.status().ok()) return attacker.status();
    tally.Add(attacker.tally());
  }
  return tally;
}

void PrintRow(const std::string& name, const AttackTally::Row& row) {
  absl::PrintF("%-16s %9d %12d %10d   %.2e\n", name, row.centers, row.in_ball, row.violations,
               row.smallest_gap);
}

void AddFlags(CLI::App& app, Flags& flags) {
  AttackEffort& effort = flags.effort;
  app.add_option("--server", flags.server, "host:port of the gRPC server")->capture_default_str();
  app.add_option("--model-file", flags.model_file, "the model.lip that it serves")->required();
  app.add_option("--model", flags.model_name, "served name; empty: the only one");
  app.add_option("--images", flags.images, "idx file of images to start from")->required();
  app.add_option("--candidates", flags.candidates, "stop after so many in-ball candidates")
      ->capture_default_str();
  app.add_option("--threads", flags.threads, "attackers, each with a connection of its own")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--seed", flags.seed, "seed; also chooses the first image")->capture_default_str();
  app.add_option("--roundings", effort.roundings, "roundings tried at the radius, per ray")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--pgd-steps", effort.projected_gradient_steps, "steps of each PGD descent")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--pgd-restarts", effort.projected_gradient_restarts, "PGD descents per image")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app{
      "Attacks the certificates of a running lipserve server: boundary rays with re-linearisation "
      "and rounding search, zero logits, PGD, DeepFool, Carlini-Wagner, nearest pairs, the pixel "
      "lattice."};
  AddFlags(app, flags);
  CLI11_PARSE(app, argc, argv);
  const auto begin = std::chrono::steady_clock::now();
  const auto tally = AttackWithAllThreads(flags);
  if (!tally.ok()) {
    absl::FPrintF(stderr, "soundness_attack: %s\n", std::string(tally.status().message()));
    return 1;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  absl::PrintF("%-16s %9s %12s %10s   %s\n", "attack", "centres", "in-ball", "violations",
               "smallest gap beyond the radius");
  for (const auto& [name, row] : tally->rows()) PrintRow(name, row);
  const AttackTally::Row total = tally->Total();
  PrintRow("total", total);
  absl::PrintF("%.0f s, %.0f in-ball candidates per second\n", seconds.count(),
               static_cast<double>(total.in_ball) / seconds.count());
  if (total.violations == 0) return 0;
  absl::PrintF("VIOLATION: %s\n", tally->first_violation());
  return 1;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) { return lipserve::Main(argc, argv); }
