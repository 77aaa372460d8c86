// SPDX-License-Identifier: Apache-2.0
// The largest singular value of a linear map, and its gradient, by power iteration that starts
// where the last call ended. For a convolution, borders, stride and padding are included.
//
//   u = T v / ||T v||,   v = T^T u / ||T^T u||,   again and again;   sigma = ||T^T u|| = <u, T v>,
//   dsigma / dw = gradient of <u, T(w) v>
//
// Each group of channels has its own unit vector, and the largest sigma is taken. A single vector
// that has converged within one group would never leave it.
//
// sigma approaches the norm from below: an estimate for training, never a bound.
//
// Source: Miyato, Kataoka, Koyama, Yoshida 2018, arXiv:1802.05957; on images: Gouk, Frank,
//         Pfahringer, Cree 2021, arXiv:1804.04368.
#ifndef TRAINER_CONSTRAINTS_POWER_ITERATION_H_
#define TRAINER_CONSTRAINTS_POWER_ITERATION_H_

#include <cstddef>
#include <random>
#include <span>
#include <vector>

#include "trainer/constraints/linear_map.h"

namespace lipserve::trainer {

// Threads: not thread-safe.
class PowerIteration {
 public:
  // `map` outlives this.
  explicit PowerIteration(LinearMap& map)
      : map_(map),
        u_(map.outputs()),
        v_(map.inputs()),
        gradient_(map.weights()),
        lengths_(map.groups()) {}

  // A random vector to start from, of length 1 in each group.
  std::vector<float> InitialVector(std::mt19937_64& random);

  // Returns sigma after `iterations`, starting from the vector `v`, which is set to the last one. A
  // group of zeros has sigma 0 and keeps its part of v.
  //
  // Requires: iterations >= 1.
  float Iterate(std::span<const float> weights, std::size_t iterations, std::vector<float>& v);

  // Adds factor * dsigma / dw of the last Iterate.
  void AddGradient(float factor, std::span<float> weights_gradient);

 private:
  // Stores the length of each group's part in lengths_ and divides the part by it; zeros stay zero.
  void Normalise(std::vector<float>& vector, std::size_t channels);

  LinearMap& map_;
  std::vector<float> u_;
  std::vector<float> v_;
  std::vector<float> gradient_;
  std::vector<float> lengths_;  // of one group each
};

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_POWER_ITERATION_H_
