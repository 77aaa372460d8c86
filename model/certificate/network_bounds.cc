// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/network_bounds.h"

#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/certificate/norm_proof.h"
#include "model/foundation/status_macros.h"

namespace lipserve {
namespace {

// ||x||_2 of any finite float32 input: sqrt(2^22) * 2^128.
constexpr double kLargestInputNorm = 0x1p139;
constexpr double kLargestNumber = 0x1p250;

// What is known of a value of the network.
struct ValueBounds {
  std::size_t source = 0;  // RoundingSources: the rounding layer whose numbers these are
  Upper lipschitz{1.0};    // with respect to the input
  Upper largest_norm{kLargestInputNorm};
  // How far the exact stage can be off, in units of 2^-2048: an L2-norm pool is 1-Lipschitz and
  // rounds each output by less than a unit, everything else is exact.
  Upper exact_error;
};

// Of the value that a rounding layer makes from `x`, where a sum has added what it reads.
ValueBounds Pass(const FrozenLayer& layer, const LayerBounds& bounds, const ValueBounds& x) {
  ValueBounds y{.source = 0,
                .lipschitz = x.lipschitz * bounds.operator_norm,
                .largest_norm = bounds.absolute_norm * x.largest_norm + bounds.bias_norm,
                .exact_error = bounds.operator_norm * x.exact_error};
  if (std::holds_alternative<L2NormPoolLayer>(layer)) {
    y.exact_error = y.exact_error + SqrtUp(Upper(static_cast<double>(bounds.outputs)));
  }
  return y;
}

absl::Status LayerError(std::size_t index, const FrozenLayer& layer, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat("layer ", index, " (", DescribeLayer(layer), "): ", problem));
}

}  // namespace

absl::StatusOr<NetworkBounds> NetworkBounds::Create(const FrozenNetwork& network,
                                                    const StopCheck& stop) {
  const ScopedStrictFloatingPoint strict;
  NetworkBounds bounds;
  const std::vector<SampleShape> shapes = ValueShapes(network);
  std::vector<ValueBounds> values(1);
  bool has_root = false;  // of an L2-norm pool so far
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const FrozenLayer& layer = network.layers[i];
    ValueBounds x = values[network.InputOf(i)];
    if (OnlyMovesNumbers(layer)) {
      bounds.layer_lipschitz_.push_back(1.0);
      values.push_back(x);
      continue;
    }
    if (absl::Status claim = CheckClaim(layer, stop); !claim.ok()) {
      if (absl::IsCancelled(claim)) return claim;
      return LayerError(i, layer, claim.message());
    }
    const LayerBounds of_layer = BoundsOf(layer, shapes[network.InputOf(i)], stop);
    if (stop()) return StoppedError();
    RoundingSources sources{.input = x.source};
    if (const auto* const sum = std::get_if<SumLayer>(&layer)) {
      const ValueBounds& z = values[sum->other];
      sources.other = z.source;
      x.lipschitz = x.lipschitz + z.lipschitz;
      x.largest_norm = x.largest_norm + z.largest_norm;
      x.exact_error = x.exact_error + z.exact_error;
    }
    bounds.hidden_lipschitz_ = x.lipschitz;  // of what the last layer reads, in the end
    ValueBounds y = Pass(layer, of_layer, x);
    if (!(y.largest_norm.value() <= kLargestNumber)) {
      return LayerError(
          i, layer,
          absl::StrCat("its numbers can reach ", y.largest_norm.value(),
                       " for some float32 input, expected at most 2^250; the proof does "
                       "not cover such weights, scale them down"));
    }
    has_root = has_root || std::holds_alternative<L2NormPoolLayer>(layer);
    if (has_root && !(y.exact_error.value() < 0x1p500)) {
      return LayerError(i, layer,
                        "weights since the first L2-norm pool can make its rounding in the exact "
                        "stage, 2^-2048, larger than 2^-1548; scale them down");
    }
    bounds.layer_lipschitz_.push_back(of_layer.operator_norm.value());
    bounds.hidden_.push_back(of_layer);
    bounds.sources_.push_back(sources);
    y.source = bounds.hidden_.size();
    values.push_back(y);
  }
  bounds.last_ = bounds.hidden_.back();
  bounds.hidden_.pop_back();
  bounds.pairs_ = RowPairs(network, stop);
  if (stop()) return StoppedError();
  return bounds;
}

}  // namespace lipserve
