// SPDX-License-Identifier: Apache-2.0
#include "client/verify/norms/operator_norm_proof.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

#include "client/verify/norms/circular_convolution.h"
#include "client/verify/norms/convolution_gram.h"

namespace lipserve::verify {
namespace {

// Some minutes of the processor's multiplications, of a Gram matrix and of a witness, whose numbers
// take 1 GiB and as much again to find.
constexpr std::size_t kMaxNormMultiplications = std::size_t{1} << 38;
constexpr std::size_t kMaxWitnessNumbers = std::size_t{1} << 27;
constexpr std::size_t kMaxReadings = std::size_t{1} << 23;

// Whether proofs of `groups` matrices of this layout exceed the limits.
bool IsTooLarge(const BlockLayout& layout, std::size_t groups) {
  std::size_t numbers = 0;
  std::size_t multiplications = 0;
  for (std::size_t i = 0; i < layout.order(); ++i) {
    const std::size_t width = i + 1 - layout.FirstOf(i);
    numbers += width;
    multiplications += width * (width + 1) / 2;
    if (width > kMaxRow || numbers > kMaxWitnessNumbers ||
        multiplications > kMaxNormMultiplications / groups) {
      return true;
    }
  }
  return false;
}

// Whether proofs of `count` dense layers of this size exceed the limits.
bool IsTooLarge(std::size_t inputs, std::size_t outputs, std::size_t count) {
  const std::size_t order = std::min(inputs, outputs);
  return inputs * outputs > kMaxNormMultiplications / order / count || order > kMaxRow ||
         order * (order + 1) / 2 > kMaxWitnessNumbers;
}

// The kernel of a group as a matrix, [output channels, fan-in].
Dense FlatKernel(const Convolution& convolution, std::size_t group) {
  Dense flat;
  flat.inputs = convolution.input_channels_per_group() * convolution.taps();
  flat.outputs = convolution.output_channels_per_group();
  const auto first = convolution.weights.numbers.begin() +
                     static_cast<std::ptrdiff_t>(group * flat.outputs * flat.inputs);
  flat.weights = {
      .numbers = {first, first + static_cast<std::ptrdiff_t>(flat.outputs * flat.inputs)},
      .exponent = convolution.weights.exponent};
  return flat;
}

// How often a position is read at most, by pairs of an output and a tap.
std::size_t MostReads(const WindowAxis& axis) {
  std::vector<std::size_t> reads(axis.length);
  for (std::size_t output = 0; output < axis.outputs(); ++output) {
    for (std::size_t tap = 0; tap < axis.taps; ++tap) {
      if (const std::optional<std::size_t> source = axis.Source(output, tap)) ++reads[*source];
    }
  }
  return *std::max_element(reads.begin(), reads.end());
}

bool FlatKernelProves(const Convolution& convolution, const Dyadic& limit) {
  const WindowAxis& y = convolution.vertical;
  const WindowAxis& x = convolution.horizontal;
  if (std::max(y.outputs() * y.taps, x.outputs() * x.taps) > kMaxReadings ||
      IsTooLarge(convolution.input_channels_per_group() * convolution.taps(),
                 convolution.output_channels_per_group(), convolution.groups)) {
    return false;
  }
  const mpz_class reads(MostReads(y) * MostReads(x));
  if (reads == 0) return true;  // every output reads the padding: T is 0
  // limit / reads, rounded down.
  constexpr unsigned kMoreBits = 64;
  const Dyadic kernel_limit{.number = (limit.number << kMoreBits) / reads,
                            .exponent = limit.exponent - static_cast<long>(kMoreBits)};
  for (std::size_t group = 0; group < convolution.groups; ++group) {
    const GramMatrix gram = GramOf(FlatKernel(convolution, group));
    if (ExamineEigenvalues(gram, kernel_limit) != BoundVerdict::kProven) return false;
  }
  return true;
}

BoundVerdict Examine(const Dense& dense, const Dyadic& limit) {
  if (IsTooLarge(dense.inputs, dense.outputs, 1)) return BoundVerdict::kTooLarge;
  return ExamineEigenvalues(GramOf(dense), limit);
}

// The norm is the largest of those of the groups.
BoundVerdict Examine(const Convolution& convolution, const Dyadic& limit) {
  if (FlatKernelProves(convolution, limit) || CircularConvolutionProves(convolution, limit)) {
    return BoundVerdict::kProven;
  }
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
  if (const auto* potential = std::get_if<ConvexPotential>(&layer)) {
    return std::visit([&](const auto& inner) { return Examine(inner, limit); }, potential->inner);
  }
  if (const auto* convolution = std::get_if<Convolution>(&layer)) {
    return Examine(*convolution, limit);
  }
  return Examine(std::get<Dense>(layer), limit);
}

}  // namespace lipserve::verify
