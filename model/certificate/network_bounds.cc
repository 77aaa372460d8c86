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

// How far the exact stage's scores can be off, in units of 2^-2048: an L2-norm pool is 1-Lipschitz
// and rounds each output by less than a unit, everything else is exact.
class ExactStageError {
 public:
  void Pass(const FrozenLayer& layer, const LayerBounds& bounds) {
    units_ = bounds.operator_norm * units_;
    if (!std::holds_alternative<L2NormPoolLayer>(layer)) return;
    units_ = units_ + SqrtUp(Upper(static_cast<double>(bounds.outputs)));
    has_pool_ = true;
  }
  // Whether a network with L2-norm pools keeps less than 2^-1500 of error in what the last layer
  // makes.
  bool IsNegligible() const { return !has_pool_ || units_.value() < 0x1p500; }

 private:
  Upper units_;
  bool has_pool_ = false;
};

absl::Status LayerError(std::size_t index, const FrozenLayer& layer, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat("layer ", index, " (", DescribeLayer(layer), "): ", problem));
}

}  // namespace

absl::StatusOr<NetworkBounds> NetworkBounds::Create(const FrozenNetwork& network,
                                                    const StopCheck& stop) {
  const ScopedStrictFloatingPoint strict;
  NetworkBounds bounds;
  Upper largest_norm(kLargestInputNorm);
  ExactStageError exact_error;
  SampleShape shape = network.input_shape;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const FrozenLayer& layer = network.layers[i];
    const SampleShape input = shape;
    shape = OutputShape(layer, input);
    bounds.layer_lipschitz_.push_back(1.0);
    if (OnlyMovesNumbers(layer)) continue;
    if (absl::Status claim = CheckClaim(layer, stop); !claim.ok()) {
      if (absl::IsCancelled(claim)) return claim;
      return LayerError(i, layer, claim.message());
    }
    const LayerBounds of_layer = BoundsOf(layer, input, stop);
    if (stop()) return StoppedError();
    largest_norm = of_layer.absolute_norm * largest_norm + of_layer.bias_norm;
    if (!(largest_norm.value() <= kLargestNumber)) {
      return LayerError(
          i, layer,
          absl::StrCat("its numbers can reach ", largest_norm.value(),
                       " for some float32 input, expected at most 2^250; the proof does "
                       "not cover such weights, scale them down"));
    }
    exact_error.Pass(layer, of_layer);
    if (!exact_error.IsNegligible()) {
      return LayerError(i, layer,
                        "weights since the first L2-norm pool can make its rounding in the exact "
                        "stage, 2^-2048, larger than 2^-1548; scale them down");
    }
    bounds.layer_lipschitz_.back() = of_layer.operator_norm.value();
    bounds.hidden_.push_back(of_layer);
  }
  bounds.last_ = bounds.hidden_.back();
  bounds.hidden_.pop_back();
  for (const LayerBounds& layer : bounds.hidden_) {
    bounds.hidden_lipschitz_ = bounds.hidden_lipschitz_ * layer.operator_norm;
  }
  bounds.pairs_ = RowPairs(network, stop);
  if (stop()) return StoppedError();
  return bounds;
}

}  // namespace lipserve
