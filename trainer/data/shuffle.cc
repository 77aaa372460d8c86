// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/shuffle.h"

#include <limits>
#include <numeric>
#include <random>
#include <utility>

#include "trainer/data/sample_random.h"

namespace lipserve::trainer {
namespace {

// Uniform in [0, bound): draws beyond the last whole multiple of `bound` are thrown away.
std::uint64_t UniformBelow(std::uint64_t bound, std::mt19937_64& generator) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t limit = kMax - kMax % bound;
  std::uint64_t draw = generator();
  while (draw >= limit) draw = generator();
  return draw % bound;
}

}  // namespace

std::vector<std::uint32_t> ShuffledOrder(std::size_t count, std::uint64_t seed,
                                         std::int64_t epoch) {
  std::mt19937_64 generator(SpreadBits(SpreadBits(seed) ^ static_cast<std::uint64_t>(epoch)));
  std::vector<std::uint32_t> order = FileOrder(count);
  for (std::size_t remaining = count; remaining > 1; --remaining) {
    std::swap(order[remaining - 1], order[UniformBelow(remaining, generator)]);
  }
  return order;
}

std::vector<std::uint32_t> FileOrder(std::size_t count) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), std::uint32_t{0});
  return order;
}

}  // namespace lipserve::trainer
