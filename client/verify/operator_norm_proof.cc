// SPDX-License-Identifier: Apache-2.0
#include "client/verify/operator_norm_proof.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <variant>

#include "client/verify/circular_convolution.h"
#include "client/verify/convolution_gram.h"

namespace lipserve::verify {
namespace {

// At most some minutes of GMP's multiplications for a dense layer's Gram matrix, of the processor's
// for a witness, whose numbers take 1 GiB and as much again to find.
constexpr std::size_t kMaxGramMultiplications = std::size_t{1} << 36;
constexpr std::size_t kMaxMultiplications = std::size_t{1} << 38;
constexpr std::size_t kMaxWitnessNumbers = std::size_t{1} << 27;

// Whether proofs of `groups` matrices of this layout exceed the limits.
bool IsTooLarge(const BlockLayout& layout, std::size_t groups) {
  std::size_t numbers = 0;
  std::size_t multiplications = 0;
  for (std::size_t i = 0; i < layout.order(); ++i) {
    const std::size_t width = i + 1 - layout.FirstOf(i);
    numbers += width;
    multiplications += width * (width + 1) / 2;
    if (width > kMaxRow || numbers > kMaxWitnessNumbers ||
        multiplications > kMaxMultiplications / groups) {
      return true;
    }
  }
  return false;
}

BoundVerdict ExamineDense(const Dense& dense, const Dyadic& limit) {
  const std::size_t order = std::min(dense.inputs, dense.outputs);
  if (dense.inputs * dense.outputs > kMaxGramMultiplications / order)
    return BoundVerdict::kTooLarge;
  return ExamineEigenvalues(GramOf(dense), limit);
}

// The norm is the largest of those of the groups.
BoundVerdict ExamineConvolution(const Convolution& convolution, const Dyadic& limit) {
  if (CirclesProve(convolution, limit)) return BoundVerdict::kProven;
  const std::optional<ConvolutionGram> grams = ConvolutionGram::Create(convolution);
  if (!grams || IsTooLarge(grams->layout(), convolution.groups)) return BoundVerdict::kTooLarge;
  for (std::size_t group = 0; group < convolution.groups; ++group) {
    const BoundVerdict verdict = ExamineEigenvalues(grams->OfGroup(group), limit);
    if (verdict != BoundVerdict::kProven) return verdict;
  }
  return BoundVerdict::kProven;
}

}  // namespace

BoundVerdict ExamineNormClaim(const Layer& layer) {
  const Dyadic& claim = *ClaimedNorm(layer);
  const Dyadic limit{.number = claim.number * claim.number, .exponent = 2 * claim.exponent};
  if (const auto* convolution = std::get_if<Convolution>(&layer)) {
    return ExamineConvolution(*convolution, limit);
  }
  return ExamineDense(std::get<Dense>(layer), limit);
}

}  // namespace lipserve::verify
