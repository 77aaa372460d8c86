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
#include <optional>
#include <span>
#include <vector>

#include "model/execution/exact_integers.h"
#include "model/foundation/stop_check.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// Much slower than float64, so it runs only where float64 cannot decide.
//
// Threads: immutable; concurrent calls are safe.
class ExactNetwork {
 public:
  // The scores of the last layer's rows, and every rounding on the way to them.
  struct Evaluation {
    ScaledIntegers scores;
    std::vector<ExactRounding> roundings;
  };

  // Requires: CheckNetwork(network) is OK. `network` outlives the object, which reads its weights.
  explicit ExactNetwork(const FrozenNetwork& network);
  ~ExactNetwork();
  ExactNetwork(const ExactNetwork&) = delete;
  ExactNetwork& operator=(const ExactNetwork&) = delete;

  // Evaluates the network on `input`. Before each layer, the numbers that it reads are rounded so
  // that the largest keeps `precision` bits; with none, all bits are kept. Each layer is then
  // exact, but for the roots of L2-norm pools: these are rounded to multiples of 2^-2048, or of a
  // larger power of two that keeps `precision` bits.
  //
  // Guarantee: the same on every machine. `roundings` has all numbers that differ from what the
  //            layer would have made in real arithmetic. Without any, the scores are the real ones,
  //            and those of an evaluation without `precision`.
  // Requires:  finite numbers.
  // Errors:    nullopt once `stop` says so.
  std::optional<Evaluation> Evaluate(std::span<const float> input,
                                     std::optional<std::size_t> precision,
                                     const StopCheck& stop) const;

  // The class of the first of the largest scores; for a single score, class 0 where it is not
  // negative.
  std::size_t LargestClass(const Evaluation& evaluation) const;

  // The class of `input` in the real network: that of an evaluation without `precision`.
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
