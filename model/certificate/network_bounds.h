// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: the constants of the proof, each computed from the frozen weights
// and rounded up.
#ifndef MODEL_CERTIFICATE_NETWORK_BOUNDS_H_
#define MODEL_CERTIFICATE_NETWORK_BOUNDS_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "model/arithmetic/outward_rounding.h"
#include "model/certificate/layer_bounds.h"
#include "model/certificate/row_pairs.h"
#include "model/foundation/stop_check.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// What a rounding layer reads, perhaps after other layers have moved the numbers: 0 is the
// network's input, l + 1 the output of rounding layer l. A sum reads two.
struct RoundingSources {
  std::size_t input = 0;
  std::optional<std::size_t> other = std::nullopt;
};

// The constants of a whole network. A network with one score has two classes; the second score is
// the constant 0, that is, an implicit row of zeros.
//
// Threads: immutable.
class NetworkBounds {
 public:
  // Proves every claimed operator norm and bounds the rest.
  //
  // Requires:  CheckNetwork(network) is OK.
  // Guarantee: every member is a true bound; for every finite float32 input every intermediate
  //            number of the network is below 2^250 in magnitude; with L2-norm pools, whose outputs
  //            the exact stage rounds down to multiples of 2^-2048, its differences of scores are
  //            off by less than 2^-1500.
  // Errors:    InvalidArgument naming the layer if its claim is not confirmed or its size voids
  //            the proof; Cancelled once `stop` says so.
  static absl::StatusOr<NetworkBounds> Create(const FrozenNetwork& network,
                                              const StopCheck& stop = {});

  // The rounding layers except the last, in order.
  const std::vector<LayerBounds>& hidden() const { return hidden_; }
  const LayerBounds& last() const { return last_; }
  // What each of them reads, the last one too.
  const std::vector<RoundingSources>& sources() const { return sources_; }
  // The bounds for pairs of the last layer's rows.
  const RowPairs& pairs() const { return pairs_; }
  // A Lipschitz bound, with respect to the input, of what the last dense layer reads. That of a sum
  // is the sum of its branches'.
  Upper hidden_lipschitz() const { return hidden_lipschitz_; }
  // A Lipschitz bound of each layer, in order; 1 for layers that only move numbers, and for sums,
  // with respect to the sum of the distances of what they add.
  const std::vector<double>& layer_lipschitz() const { return layer_lipschitz_; }

 private:
  NetworkBounds() = default;

  std::vector<LayerBounds> hidden_;
  LayerBounds last_;
  std::vector<RoundingSources> sources_;
  RowPairs pairs_;
  Upper hidden_lipschitz_{1.0};
  std::vector<double> layer_lipschitz_;
};

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_NETWORK_BOUNDS_H_
