// SPDX-License-Identifier: Apache-2.0
// Attacks the certificates of a running server. Exit code 0 only if no violation was found.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "proto/idx/idx_file.h"
#include "tests/soundness/attacks.h"

namespace lipserve {
namespace {

struct Flags {
  std::string server = "127.0.0.1:8001";
  std::string model_file;
  std::string images;
  std::string model_name;
  std::uint64_t candidates = 100000;
  std::uint64_t seed = 0;
};

void PrintRow(const std::string& name, const AttackTally::Row& row) {
  absl::PrintF("%-16s %9d %12d %10d   %.2e\n", name, row.centers, row.in_ball, row.violations,
               row.smallest_gap);
}

absl::Status Run(const Flags& flags, AttackTally& tally) {
  auto target = AttackTarget::Connect(flags.server, flags.model_file, {.name = flags.model_name});
  if (!target.ok()) return target.status();
  auto images = ReadIdxFile(flags.images);
  if (!images.ok()) return images.status();
  const std::size_t size = target->input_size();
  const std::size_t count = images->values.size() / size;
  if (count == 0)
    return absl::InvalidArgumentError(flags.images + ": no images of the model's size");
  Attacker attacker(*target, flags.seed);
  std::uint64_t image = flags.seed * 7919;
  while (attacker.tally().Total().in_ball < flags.candidates) {
    const auto* first = images->values.data() + (image++ % count) * size;
    const auto status = attacker.AttackImage(std::vector<std::uint8_t>(first, first + size));
    if (!status.ok()) return status;
  }
  tally = attacker.tally();
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app{
      "Attacks the certificates of a running lipserve server: boundary rays with re-linearisation "
      "and rounding search, zero logits, PGD, DeepFool, Carlini-Wagner, greedy pixels."};
  app.add_option("--server", flags.server, "host:port of the gRPC server")->capture_default_str();
  app.add_option("--model-file", flags.model_file, "the model.lip that it serves")->required();
  app.add_option("--model", flags.model_name, "served name; empty: the only one");
  app.add_option("--images", flags.images, "idx file of images to start from")->required();
  app.add_option("--candidates", flags.candidates, "stop after so many in-ball candidates")
      ->capture_default_str();
  app.add_option("--seed", flags.seed, "seed")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  AttackTally tally;
  const auto begin = std::chrono::steady_clock::now();
  if (const auto status = Run(flags, tally); !status.ok()) {
    absl::FPrintF(stderr, "soundness_attack: %s\n", std::string(status.message()));
    return 1;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  absl::PrintF("%-16s %9s %12s %10s   %s\n", "attack", "centres", "in-ball", "violations",
               "smallest gap beyond the radius");
  for (const auto& [name, row] : tally.rows()) PrintRow(name, row);
  PrintRow("total", tally.Total());
  absl::PrintF("%.0f s\n", seconds.count());
  return tally.Total().violations == 0 ? 0 : 1;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) { return lipserve::Main(argc, argv); }
