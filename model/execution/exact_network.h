// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it decides the class where float64 cannot.
//
// The frozen network in exact integers. Every float32 number is an integer times a power of two, so
// products and sums of them are exact in integers of a few hundred bits (GMP). Square roots are
// not: the L2-norm pool yields the largest multiple of 2^-2048 that is no larger, in fixed point.
#ifndef MODEL_EXECUTION_EXACT_NETWORK_H_
#define MODEL_EXECUTION_EXACT_NETWORK_H_

#include <cstddef>
#include <memory>
#include <span>

#include "model/network/frozen_network.h"

namespace lipserve {

// Much slower than float64, so it runs only where float64 cannot decide.
//
// Threads: immutable; concurrent calls are safe.
class ExactNetwork {
 public:
  // Requires: CheckNetwork(network) is OK.
  explicit ExactNetwork(const FrozenNetwork& network);
  ~ExactNetwork();
  ExactNetwork(const ExactNetwork&) = delete;
  ExactNetwork& operator=(const ExactNetwork&) = delete;

  // The class of `input` in the real network: the lowest index among the largest scores; for a
  // single score, class 0 where it is not negative.
  //
  // Shapes:    input: the network's input size.
  // Guarantee: the same on every machine. Exact for networks without L2-norm pools. Each window of
  //            such a pool errs by less than 2^-2048, so the numbers that the last layer reads err,
  //            in the 2-norm, by at most the sum over these pools of
  //              2^-2048 sqrt(windows of the pool) (product of the Lipschitz constants after it),
  //            and the class is the real one wherever every difference f_i - f_j of the scores is
  //            above ||w_i - w_j|| times that: above 2^-1500 if there are at most 2^10 pools and
  //            these products with ||w_i - w_j|| are at most 2^500.
  // Requires:  finite numbers.
  std::size_t ClassOf(std::span<const float> input) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace lipserve

#endif  // MODEL_EXECUTION_EXACT_NETWORK_H_
