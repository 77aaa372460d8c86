// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it decides the class where float64 cannot.
//
// Decides in integers, of few bits first: what they lose is bounded by the proven Lipschitz
// constants, and most inputs that float64 leaves are decided within that bound. The others are
// decided with more bits, and at last with all. certificate/PROOF.md, Lemma 10.
#ifndef MODEL_CERTIFICATE_EXACT_DECISION_H_
#define MODEL_CERTIFICATE_EXACT_DECISION_H_

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "model/certificate/network_bounds.h"
#include "model/execution/exact_network.h"
#include "model/foundation/stop_check.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// Threads: immutable; concurrent calls are safe.
class ExactDecision {
 public:
  // Precisions that are tried, in turn, before all bits are kept. They are the same on every
  // machine and for every model. Numbers of the first fit into a pair of digits (exact_products.h).
  static constexpr std::array<std::size_t, 2> kPrecisions{120, 480};

  // Requires: CheckNetwork(network) is OK; `bounds` are those of `network`; both outlive the
  // object.
  ExactDecision(const FrozenNetwork& network, const NetworkBounds& bounds);

  // The class of `input`: exact_.ClassOf(input), at less cost.
  //
  // Shapes:   input: the network's input size.
  // Requires: finite numbers.
  // Errors:   nullopt once `stop` says so.
  std::optional<std::size_t> ClassOf(std::span<const float> input, const StopCheck& stop) const;

  // The same if it needs no evaluation: a network without biases makes only zeros of zeros, so all
  // scores are equal. Otherwise nullopt.
  std::optional<std::size_t> ClassAtOnce(std::span<const float> input) const;

  // The class if an evaluation with some precision shows it; nullopt if a difference of scores is
  // too small for it. Without any rounding it shows every class, ties included. Otherwise it shows
  // classes only whose margin is proven to be above 2^-1500, so that all bits would show the same,
  // and ties of equal rows.
  std::optional<std::size_t> Decide(const ExactNetwork::Evaluation& evaluation) const;

 private:
  // A nonnegative number, exactly: value * 2^exponent.
  struct Dyadic {
    mpz_class value;
    int exponent = 0;
  };
  static Dyadic FromDouble(double value);
  static Dyadic Sum(const Dyadic& a, const Dyadic& b);
  static Dyadic Product(const Dyadic& a, const Dyadic& b);
  static bool IsGreater(const Dyadic& a, const Dyadic& b);

  // A bound of ||evaluated - real|| of the numbers that the last layer reads.
  Dyadic ErrorBound(std::span<const ExactRounding> roundings) const;

  const FrozenNetwork& network_;
  const NetworkBounds& bounds_;
  ExactNetwork exact_;
  bool has_bias_;
};

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_EXACT_DECISION_H_
