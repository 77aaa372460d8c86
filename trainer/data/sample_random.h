// SPDX-License-Identifier: Apache-2.0
// Random numbers for one sample of one epoch. They do not depend on other samples, so samples may
// be prepared in any order, on any thread and after any interruption, with the same result.
#ifndef TRAINER_DATA_SAMPLE_RANDOM_H_
#define TRAINER_DATA_SAMPLE_RANDOM_H_

#include <cstdint>

namespace lipserve::trainer {

// The finaliser of SplitMix64: a bijection that spreads every input bit, so that neighbouring seeds
// and epochs give unrelated generators.
//
// Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators".
constexpr std::uint64_t SpreadBits(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// SplitMix64 from a start that depends on all three numbers.
//
// Guarantee: the same on every machine.
class SampleRandom {
 public:
  SampleRandom(std::uint64_t seed, std::int64_t epoch, std::uint64_t sample)
      : state_(SpreadBits(SpreadBits(SpreadBits(seed) ^ static_cast<std::uint64_t>(epoch)) ^
                          sample)) {}

  // Uniform in [0, 1), a multiple of 2^-53.
  double Uniform() {
    const std::uint64_t bits = SpreadBits(state_);
    state_ += 0x9e3779b97f4a7c15ULL;
    return static_cast<double>(bits >> 11) * 0x1p-53;
  }

  // Uniform in [low, high).
  double Between(double low, double high) { return low + (high - low) * Uniform(); }

  bool Bernoulli(double probability) { return Uniform() < probability; }

 private:
  std::uint64_t state_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_DATA_SAMPLE_RANDOM_H_
