// SPDX-License-Identifier: Apache-2.0
// Float32 points that fill a ball to its last bits.
#ifndef TESTS_SOUNDNESS_ATTACKS_ROUNDING_SEARCH_H_
#define TESTS_SOUNDNESS_ATTACKS_ROUNDING_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace lipserve {

// Rounds the real point at `radius` from `center` in `direction` to float32 in many ways: each
// coordinate to its neighbour towards the centre or away from it, a random choice that is as far
// out as the radius permits. The nearest rounding alone would probe one point of that shell.
//
// Source:  Jin, Ohrimenko, Rubinstein 2022 (arXiv:2205.10159).
// Threads: not thread-safe.
class RoundingSearch {
 public:
  // `center` must outlive the search.
  RoundingSearch(std::span<const float> center, std::span<const double> direction, double radius,
                 std::mt19937_64& random);

  // The next point, within the radius unless float32 is too coarse for that; valid until the next
  // call.
  std::span<const float> Next();

 private:
  // The two roundings of one coordinate and their squared distances from the centre's.
  struct Choice {
    float near;
    float far;
    double near_square;
    double far_square;
  };

  void Shuffle();
  void PullIn(std::size_t k);
  void PushOutIfItFits(std::size_t k);

  std::mt19937_64& random_;
  std::vector<std::size_t> pull_order_;  // the coordinates that can move, shuffled
  std::vector<std::size_t> push_order_;  // the same, shuffled otherwise
  std::vector<Choice> choices_;
  std::vector<float> point_;
  double squares_ = 0.0;  // squared distance of point_
  double budget_ = 0.0;   // what it may be
  std::uint64_t calls_ = 0;
};

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_ATTACKS_ROUNDING_SEARCH_H_
