// SPDX-License-Identifier: Apache-2.0
// What an attacker who holds the model file works out for himself, in float64.
#ifndef TESTS_SOUNDNESS_ATTACKS_WHITE_BOX_H_
#define TESTS_SOUNDNESS_ATTACKS_WHITE_BOX_H_

#include <cstddef>
#include <span>
#include <vector>

#include "model/network/frozen_network.h"
#include "tests/model/margin_gradient.h"

namespace lipserve {

// The way from an input's class to another, linearised at the input.
struct Descent {
  std::size_t other = 0;
  double margin = 0.0;           // f_class - f_other; negative beyond the boundary
  std::vector<double> gradient;  // of f_other - f_class
  double slope = 0.0;            // its norm; 0 where the network is constant

  // How far the linearised boundary is: 0 if there is none in sight.
  double Distance() const { return slope > 0.0 ? margin / slope : 0.0; }
};

// A single score stands against the constant score 0 of a second class.
//
// Threads: immutable.
class WhiteBox {
 public:
  // `network` must outlive the white box.
  explicit WhiteBox(const FrozenNetwork& network);

  const FrozenNetwork& network() const { return network_; }
  std::size_t num_classes() const { return num_classes_; }

  std::size_t ClassOf(std::span<const float> input) const;

  // The way to the class whose boundary the last layer's weights put nearest: the one that limits
  // a certificate. Of classes with prototypes, from the one with the largest score.
  Descent TowardsNearest(std::span<const float> input, std::size_t chosen) const;
  // The way to class `other`.
  Descent Towards(std::span<const float> input, std::size_t chosen, std::size_t other) const;

 private:
  // From the best row of class `chosen` to the nearest row of the classes that `wanted` names.
  template <typename Predicate>
  Descent TowardsFrom(const TracedScores& trace, std::size_t chosen, Predicate wanted) const;

  const FrozenNetwork& network_;
  std::size_t num_classes_;
  std::size_t num_rows_;
  std::vector<double> pair_norms_;  // ||w_i - w_j|| of the last layer, [num_rows, num_rows]
};

// The Euclidean norm.
double Norm(std::span<const double> v);

// `end` - `start`.
std::vector<double> Difference(std::span<const float> end, std::span<const float> start);

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_ATTACKS_WHITE_BOX_H_
