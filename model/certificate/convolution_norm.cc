// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/convolution_norm.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/arithmetic/outward_rounding.h"
#include "model/certificate/circular_embedding.h"
#include "model/certificate/convolution_gram.h"
#include "model/certificate/convolution_operator.h"
#include "model/certificate/lanczos.h"
#include "model/certificate/operator_norm.h"
#include "model/certificate/window_reads.h"
#include "model/foundation/status_macros.h"
#include "model/network/matrix_view.h"

namespace lipserve {
namespace {

// How close a search comes to the smallest provable bound, relative, in the square of the norm. The
// embedding is far from the norm anyway.
constexpr double kBandedTolerance = 5e-11;
constexpr double kEmbeddingTolerance = 1e-9;

// Whether T is 0: every weight whose tap ever reads a pixel is.
bool IsZero(const ConvolutionLayer& layer) {
  const auto taps_that_read = [&](const WindowAxis& axis, std::size_t length) {
    const WindowReads reads(axis, layer.padding_mode, length);
    std::vector<bool> taps(axis.size, false);
    for (const std::vector<Read>& window : reads.by_output()) {
      for (const Read& read : window) taps[read.tap] = true;
    }
    return taps;
  };
  const std::vector<bool> rows = taps_that_read(layer.vertical, layer.input.height);
  const std::vector<bool> columns = taps_that_read(layer.horizontal, layer.input.width);
  for (std::size_t i = 0; i < layer.weights.size(); ++i) {
    const std::size_t tap = i % (rows.size() * columns.size());
    const bool read = rows[tap / columns.size()] && columns[tap % columns.size()];
    if (read && layer.weights[i] != 0.0F) return false;
  }
  return true;
}

// An estimate of ||T||_2 from below; no proof.
double EstimateNormFromBelow(const ConvolutionLayer& layer, std::size_t steps,
                             const StopCheck& stop) {
  const ConvolutionOperator map(layer, ConvolutionOperator::Taps::kSigned, stop);
  const bool by_inputs = map.inputs() <= map.outputs();
  std::vector<double> image(by_inputs ? map.outputs() : map.inputs());
  const SymmetricMap gram = [&](std::span<const double> x, std::span<double> y) {
    if (by_inputs) {
      map.Apply(x, image);
      map.ApplyTransposed(image, y);
    } else {
      map.ApplyTransposed(x, image);
      map.Apply(image, y);
    }
  };
  const std::size_t n = std::min(map.inputs(), map.outputs());
  const double eigenvalue = std::max(LargestEigenvalueEstimate(n, gram, steps, stop), 0.0);
  // Minus the possible error of its own sums.
  const double rounding =
      static_cast<double>(map.depth() + map.transposed_depth() + n + 100) * kUnitRoundoff64;
  return std::ldexp(std::sqrt(eigenvalue * (1.0 - 4.0 * rounding)), -ScaleExponent(layer));
}

// The kernel of one group as a matrix.
ConstMatrixView FlatKernel(const ConvolutionLayer& layer, std::size_t group) {
  const std::size_t rows = layer.output_channels / layer.groups;
  return {layer.weights.data() + group * rows * layer.fan_in(), rows, layer.fan_in()};
}

// The norm of gathering all windows: the square root of the largest number of reads of a pixel.
Upper GatheringNorm(const ConvolutionLayer& layer) {
  const WindowReads vertical(layer.vertical, layer.padding_mode, layer.input.height);
  const WindowReads horizontal(layer.horizontal, layer.padding_mode, layer.input.width);
  return SqrtUp(Upper(static_cast<double>(vertical.most_reads() * horizontal.most_reads())));
}

absl::StatusOr<double> BoundByFlatKernel(const ConvolutionLayer& layer, const ProofLimits& limits) {
  double largest = 0.0;
  for (std::size_t g = 0; g < layer.groups; ++g) {
    LIPSERVE_ASSIGN_OR_RETURN(const double norm, BoundOperatorNorm(FlatKernel(layer, g), limits));
    largest = std::max(largest, norm);
  }
  // The check divides by the same root; two roundings lie between.
  return (GatheringNorm(layer) * Upper(largest)).value() * (1.0 + 0x1p-50);
}

absl::Status ProveByFlatKernel(const ConvolutionLayer& layer, double claim,
                               const ProofLimits& limits) {
  const double kernel_claim = DivideDown(claim, GatheringNorm(layer).value());
  for (std::size_t g = 0; g < layer.groups; ++g) {
    LIPSERVE_RETURN_IF_ERROR(ProveOperatorNormAtMost(FlatKernel(layer, g), kernel_claim, limits));
  }
  return absl::OkStatus();
}

std::optional<double> SearchByFactorisation(const ConvolutionLayer& layer,
                                            ConvolutionNormMethod method, double from_below,
                                            const StopCheck& stop) {
  if (method == ConvolutionNormMethod::kCircularEmbedding) {
    EmbeddingNormProof proof(layer, *EmbeddingTorus(layer), stop);
    return SearchNormBound(proof, proof.SortBlocksByEstimate(), kEmbeddingTolerance);
  }
  const BandedNormProof proof(layer, stop);
  return SearchNormBound(proof, proof.EigenvalueOf(from_below), kBandedTolerance);
}

bool ProvesByFactorisation(const ConvolutionLayer& layer, ConvolutionNormMethod method,
                           double claim, const StopCheck& stop) {
  if (method == ConvolutionNormMethod::kCircularEmbedding) {
    return ProvesNormAtMost(EmbeddingNormProof(layer, *EmbeddingTorus(layer), stop), claim);
  }
  return ProvesNormAtMost(BandedNormProof(layer, stop), claim);
}

// Limits the number of reads along each axis, because every method lists them.
absl::Status CheckReads(const ConvolutionLayer& layer) {
  constexpr std::size_t kMaxReads = std::size_t{1} << 22;
  const std::size_t reads =
      std::max(layer.vertical.size * layer.vertical.outputs(layer.input.height),
               layer.horizontal.size * layer.horizontal.outputs(layer.input.width));
  if (reads <= kMaxReads) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected at most ", kMaxReads,
                                                 " taps times outputs along an axis, got ", reads,
                                                 "; make the window or the padding smaller"));
}

}  // namespace

const char* MethodName(ConvolutionNormMethod method) {
  switch (method) {
    case ConvolutionNormMethod::kBandedGram:
      return "banded Gram matrix";
    case ConvolutionNormMethod::kCircularEmbedding:
      return "circular embedding";
    case ConvolutionNormMethod::kFlatKernel:
      return "flat kernel";
  }
  return "unknown";
}

absl::StatusOr<ConvolutionNormMethod> ChooseConvolutionNormMethod(const ConvolutionLayer& layer,
                                                                  const ProofLimits& limits) {
  LIPSERVE_RETURN_IF_ERROR(CheckReads(layer));
  const auto torus = EmbeddingTorus(layer);
  const bool embeds = torus && EmbeddingCost(layer, *torus).IsWithin(limits);
  if (embeds && torus->is_exact) return ConvolutionNormMethod::kCircularEmbedding;
  const ProofCost banded = CheapestGramPlan(layer).cost;
  if (banded.IsWithin(limits)) return ConvolutionNormMethod::kBandedGram;
  if (embeds) return ConvolutionNormMethod::kCircularEmbedding;
  const std::size_t rows = layer.output_channels / layer.groups;
  const ProofCost flat =
      DenseProofCost(std::min(rows, layer.fan_in()), std::max(rows, layer.fan_in()));
  if (flat.IsWithin(limits)) return ConvolutionNormMethod::kFlatKernel;
  return absl::InvalidArgumentError(
      absl::StrCat("no proof of the operator norm of ", DescribeLayer(layer), " is within ",
                   DescribeCost({limits.bytes, limits.flops}), ": ",
                   MethodName(ConvolutionNormMethod::kBandedGram), " takes ", DescribeCost(banded),
                   torus ? absl::StrCat(", ", MethodName(ConvolutionNormMethod::kCircularEmbedding),
                                        " ", DescribeCost(EmbeddingCost(layer, *torus)))
                         : "",
                   ", ", MethodName(ConvolutionNormMethod::kFlatKernel), " ", DescribeCost(flat),
                   "; give the layer fewer channels or more groups"));
}

bool LooksFromBelow(const ConvolutionLayer& layer) {
  return static_cast<double>(layer.output().size()) * static_cast<double>(layer.fan_in()) <=
         kMostProductsToLookFromBelow;
}

absl::StatusOr<double> BoundConvolutionNorm(const ConvolutionLayer& layer,
                                            const ProofLimits& limits) {
  const ScopedStrictFloatingPoint strict;
  LIPSERVE_ASSIGN_OR_RETURN(const ConvolutionNormMethod method,
                            ChooseConvolutionNormMethod(layer, limits));
  if (IsZero(layer)) return 0.0;
  const double from_below = EstimateNormFromBelow(layer, kLanczosStepsToSearch, limits.stop);
  std::optional<double> bound;
  if (method == ConvolutionNormMethod::kFlatKernel) {
    LIPSERVE_ASSIGN_OR_RETURN(bound, BoundByFlatKernel(layer, limits));
  } else {
    bound = SearchByFactorisation(layer, method, from_below, limits.stop);
  }
  if (limits.stop()) return StoppedError();
  if (bound && *bound >= from_below) return *bound;
  return absl::InternalError(absl::StrFormat(
      "operator norm of %s by %s: %s, the estimate from below is %.17g; a bug or a fault of this "
      "machine",
      DescribeLayer(layer), MethodName(method),
      bound ? absl::StrFormat("the proof gives %.17g", *bound) : "nothing was proven", from_below));
}

absl::Status ProveConvolutionNormAtMost(const ConvolutionLayer& layer, double claim,
                                        const ProofLimits& limits) {
  const ScopedStrictFloatingPoint strict;
  LIPSERVE_ASSIGN_OR_RETURN(const ConvolutionNormMethod method,
                            ChooseConvolutionNormMethod(layer, limits));
  if (IsZero(layer)) {
    if (claim >= 0.0) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrFormat("expected a claim >= 0, got %.17g", claim));
  }
  const double from_below =
      LooksFromBelow(layer) ? EstimateNormFromBelow(layer, kLanczosStepsToCheck, limits.stop) : 0.0;
  if (limits.stop()) return StoppedError();
  if (!(claim >= from_below)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the operator norm is about %.17g or more, the claim is %.17g", from_below, claim));
  }
  if (method == ConvolutionNormMethod::kFlatKernel) {
    return ProveByFlatKernel(layer, claim, limits);
  }
  const bool is_proven = ProvesByFactorisation(layer, method, claim, limits.stop);
  if (limits.stop()) return StoppedError();  // first: what was stopped in between proves nothing
  if (is_proven) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "no factorisation proves an operator norm of at most %.17g by %s; it is about %.17g or more",
      claim, MethodName(method), from_below));
}

}  // namespace lipserve
