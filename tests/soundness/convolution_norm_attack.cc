// SPDX-License-Identifier: Apache-2.0
// Attacks the proven norms of random convolutions. Exit code 0 only if no violation was found.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"
#include "tests/soundness/convolution_norms.h"

namespace lipserve {
namespace {

struct NormFlags {
  std::size_t layers = 1000;
  std::size_t largest = 4000;
  std::uint64_t seed = 0;
};

int AttackNorms(const NormFlags& flags) {
  const auto begin = std::chrono::steady_clock::now();
  std::mt19937_64 random(flags.seed);
  std::map<std::string, NormTally> tallies;
  std::vector<std::string> violations;
  for (std::size_t layer = 0; layer < flags.layers; ++layer) {
    AttackConvolutionNorm(RandomLargeConvolution(random, flags.largest), random(), tallies,
                          violations);
  }
  absl::PrintF("%-20s %8s %10s   %s\n", "method", "bounds", "violations",
               "smallest gap above the truth");
  for (const auto& [name, tally] : tallies) {
    absl::PrintF("%-20s %8d %10d   %.2e\n", name, tally.bounds, tally.violations,
                 tally.smallest_gap);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  absl::PrintF("%d layers, %.0f s\n", flags.layers, seconds.count());
  for (const std::string& violation : violations) absl::PrintF("VIOLATION: %s\n", violation);
  return violations.empty() ? 0 : 1;
}

int NormMain(int argc, char** argv) {
  NormFlags flags;
  CLI::App app{
      "Holds every proven norm of random convolutions against a lower bound from Lanczos steps."};
  app.add_option("--layers", flags.layers, "convolutions to attack")->capture_default_str();
  app.add_option("--largest", flags.largest, "numbers of the largest image")
      ->check(CLI::Range(16, 1 << 20))
      ->capture_default_str();
  app.add_option("--seed", flags.seed, "seed of the layers")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return AttackNorms(flags);
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) { return lipserve::NormMain(argc, argv); }
