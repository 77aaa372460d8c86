// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it decides the classes that no rounding arithmetic can.
//
// The frozen network in exact integers. Every float32 number is an integer times a power of two,
// so products and sums of them are exact in integers of a few hundred bits (GMP).
#ifndef MODEL_EXECUTION_EXACT_NETWORK_H_
#define MODEL_EXECUTION_EXACT_NETWORK_H_

#include <cstddef>
#include <memory>
#include <span>

#include "model/network/frozen_network.h"

namespace lipserve {

// Much slower than float64 and rarely asked: only where that cannot decide.
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
  // Guarantee: exact.
  // Requires:  finite numbers.
  std::size_t ClassOf(std::span<const float> input) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace lipserve

#endif  // MODEL_EXECUTION_EXACT_NETWORK_H_
