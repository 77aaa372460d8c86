// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/certificate.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "absl/container/inlined_vector.h"

namespace lipserve {
namespace {

// Lemma 1's underflow term with at most 2^22 inputs, weights below 2^128 and vectors of norm below
// 2^251 (NetworkBounds): 2^-1022 (2n + 2 + ||w||_1 + ||x||_1) < 2^-1022 * 2^263.
constexpr double kUnderflow64 = 0x1p-700;

double UnitRoundoff(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kFloat32 ? kUnitRoundoff32 : kUnitRoundoff64;
}

// gamma of one output: fan-in products and a bias.
Upper LayerGamma(const LayerBounds& layer, Arithmetic arithmetic) {
  return Gamma(static_cast<double>(layer.fan_in + 1), UnitRoundoff(arithmetic));
}

// Score i; the second class of a single-score network has the constant score 0.
double Score(std::span<const double> scores, std::size_t i) {
  return i < scores.size() ? scores[i] : 0.0;
}

}  // namespace

// What underflow, gradual or flushed, can add to one output: each of at most 2n + 1 operations
// less than the smallest normal number, and each operand below it taken as zero.
Certifier::BoundByNorm Certifier::Underflow(const LayerBounds& layer, Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::kFloat64) return {.constant = Upper(kUnderflow64), .per_norm = {}};
  const auto n = static_cast<double>(layer.fan_in);
  // 2 for Lemma 1's 1 + gamma: where gamma is not below 1, Gamma is infinite.
  const Upper two_lambda(2.0 * kSmallestNormal32);
  return {.constant = two_lambda * (Upper(2.0 * n + 2.0) + layer.largest_row_norm1),
          .per_norm = two_lambda * SqrtUp(Upper(n))};  // ||x||_1 <= sqrt(n) ||x||_2
}

// The norm of the rounding errors of a layer's outputs.
Certifier::BoundByNorm Certifier::Rounding(const LayerBounds& layer, Arithmetic arithmetic) {
  if (layer.is_exact) return {};
  const Upper gamma = LayerGamma(layer, arithmetic);
  const BoundByNorm underflow = Underflow(layer, arithmetic);
  const Upper root = SqrtUp(Upper(static_cast<double>(layer.outputs)));
  return {.constant = gamma * layer.bias_norm + underflow.constant * root,
          .per_norm = gamma * layer.absolute_norm + underflow.per_norm * root};
}

// The magnitude of any partial sum of a float32 evaluation, in any order. The constant part of
// underflow is implied by the limit: it is below 2^26, and 2^127 + 2^26 does not overflow.
Certifier::BoundByNorm Certifier::PartialSum32(const LayerBounds& layer) {
  const Upper factor = Upper(1.0) + LayerGamma(layer, Arithmetic::kFloat32);
  const BoundByNorm underflow = Underflow(layer, Arithmetic::kFloat32);
  return {.constant = factor * layer.largest_bias + underflow.constant,
          .per_norm = factor * layer.largest_row_norm + underflow.per_norm};
}

Certifier::ArithmeticBounds Certifier::BoundsIn(Arithmetic arithmetic,
                                                const NetworkBounds& bounds) {
  ArithmeticBounds result{.hidden_rounding = {},
                          .last_gamma = LayerGamma(bounds.last(), arithmetic),
                          .last_underflow = Underflow(bounds.last(), arithmetic)};
  for (const LayerBounds& layer : bounds.hidden()) {
    result.hidden_rounding.push_back(Rounding(layer, arithmetic));
  }
  result.last_underflow.constant = Upper(2.0) * result.last_underflow.constant;
  result.last_underflow.per_norm = Upper(2.0) * result.last_underflow.per_norm;
  return result;
}

Certifier::Certifier(const NetworkBounds& bounds) : bounds_(bounds) {
  const ScopedStrictFloatingPoint strict;
  float32_ = BoundsIn(Arithmetic::kFloat32, bounds);
  float64_ = BoundsIn(Arithmetic::kFloat64, bounds);
  for (const LayerBounds& layer : bounds.hidden()) partial_sums32_.push_back(PartialSum32(layer));
  partial_sums32_.push_back(PartialSum32(bounds.last()));
}

std::size_t Certifier::LargestScore(std::span<const double> scores) {
  if (scores.size() == 1) return scores[0] >= 0.0 ? 0 : 1;
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

std::size_t Certifier::BestRow(std::size_t chosen, std::span<const double> scores) const {
  const std::size_t count = bounds_.pairs().rows_per_class();
  if (count == 1) return chosen;
  return chosen * count + LargestScore(scores.subspan(chosen * count, count));
}

Certifier::CommonError Certifier::CommonErrorOf(std::span<const Upper> rounding_input_norms,
                                                Arithmetic arithmetic) const {
  const std::vector<LayerBounds>& hidden = bounds_.hidden();
  assert(rounding_input_norms.size() == hidden.size() + 1);
  const ArithmeticBounds& bounds = BoundsOf(arithmetic);
  // ||computed - real|| of the input, which is 0, and of what each rounding layer makes.
  absl::InlinedVector<Upper, 32> errors(hidden.size() + 1);
  const auto read_by = [&](std::size_t l) {
    const RoundingSources& sources = bounds_.sources()[l];
    const Upper error = errors[sources.input];
    return sources.other ? error + errors[*sources.other] : error;
  };
  for (std::size_t l = 0; l < hidden.size(); ++l) {
    errors[l + 1] = hidden[l].operator_norm * read_by(l) +
                    bounds.hidden_rounding[l].At(rounding_input_norms[l]);
  }
  const Upper norm = rounding_input_norms.back();
  return {.hidden = read_by(hidden.size()),
          .last_input_norm = norm,
          .last_gamma = bounds.last_gamma,
          .last_underflow = bounds.last_underflow.At(norm)};
}

Upper Certifier::PairError(const PairBounds& pair, const CommonError& common) {
  return pair.difference_norm * common.hidden +
         common.last_gamma * (pair.absolute_norm * common.last_input_norm + pair.bias) +
         common.last_underflow;
}

Upper Certifier::ScoreDifferenceError(std::size_t i, std::size_t j,
                                      std::span<const Upper> rounding_input_norms,
                                      Arithmetic arithmetic) const {
  return PairError(bounds_.pairs().Bounds(i, j), CommonErrorOf(rounding_input_norms, arithmetic));
}

// Whether some partial sum of a float32 evaluation, in any order, could reach 2^127. Without this
// test, a later minimum could hide an infinity.
bool Certifier::MayOverflow(std::span<const Upper> rounding_input_norms) const {
  for (std::size_t l = 0; l < partial_sums32_.size(); ++l) {
    const Upper largest = partial_sums32_[l].At(rounding_input_norms[l]);
    if (!(largest.value() < 0x1p127)) return true;
  }
  return false;
}

std::optional<std::size_t> Certifier::Decide(std::span<const double> scores,
                                             std::span<const Upper> rounding_input_norms,
                                             Arithmetic arithmetic) const {
  if (arithmetic == Arithmetic::kFloat32 && MayOverflow(rounding_input_norms)) return std::nullopt;
  const RowPairs& pairs = bounds_.pairs();
  const std::size_t best = LargestScore(scores);
  const std::size_t best_class = pairs.ClassOf(best);
  const CommonError common = CommonErrorOf(rounding_input_norms, arithmetic);
  for (std::size_t j = 0; j < pairs.num_rows(); ++j) {
    if (pairs.ClassOf(j) == best_class) continue;
    const Upper error = PairError(pairs.QuickBounds(best, j), common);
    // Rounding is monotone: a difference that is not above the error is not after rounding either.
    const double difference = SubtractDown(Score(scores, best), Score(scores, j));
    if (!(difference > error.value())) return std::nullopt;  // NaN refuses too
  }
  return best_class;
}

std::optional<std::size_t> Certifier::DecideTieOfEqualRows(
    std::span<const double> scores, std::span<const Upper> rounding_input_norms,
    Arithmetic arithmetic) const {
  const RowPairs& pairs = bounds_.pairs();
  const std::size_t best = LargestScore(scores);
  if (!pairs.IsShared(best)) return std::nullopt;
  if (arithmetic == Arithmetic::kFloat32 && MayOverflow(rounding_input_norms)) return std::nullopt;
  const CommonError common = CommonErrorOf(rounding_input_norms, arithmetic);
  // Rows of the same class too: one that is larger would win for this class.
  for (std::size_t j = 0; j < pairs.num_rows(); ++j) {
    if (pairs.FirstEqual(j) == pairs.FirstEqual(best)) continue;
    const Upper error = PairError(pairs.QuickBounds(best, j), common);
    const double difference = SubtractDown(Score(scores, best), Score(scores, j));
    if (!(difference > error.value())) return std::nullopt;  // NaN refuses too
  }
  return pairs.ClassOf(pairs.FirstEqual(best));
}

bool Certifier::AreConsistent(std::size_t chosen, std::span<const double> scores32,
                              std::span<const Upper> norms32, std::span<const double> scores64,
                              std::span<const Upper> norms64) const {
  if (MayOverflow(norms32)) return true;
  const CommonError common32 = CommonErrorOf(norms32, Arithmetic::kFloat32);
  const CommonError common64 = CommonErrorOf(norms64, Arithmetic::kFloat64);
  const std::size_t best = BestRow(chosen, scores64);
  for (std::size_t j = 0; j < bounds_.pairs().num_rows(); ++j) {
    if (j == best) continue;
    const PairBounds pair = bounds_.pairs().QuickBounds(best, j);
    const Upper allowed = PairError(pair, common32) + PairError(pair, common64);
    const double difference32 = Score(scores32, best) - Score(scores32, j);
    const double difference64 = Score(scores64, best) - Score(scores64, j);
    // At most four roundings, each below 2^-53 of these two together.
    const double slack = 0x1p-51 * (std::fabs(difference32) + std::fabs(difference64));
    const double gap = std::fabs(difference32 - difference64) - slack;
    if (!(gap <= allowed.value())) return false;  // NaN too
  }
  return true;
}

Certificate Certifier::Certify(std::size_t chosen, std::span<const double> scores,
                               std::span<const Upper> rounding_input_norms,
                               Arithmetic arithmetic) const {
  if (arithmetic == Arithmetic::kFloat32 && MayOverflow(rounding_input_norms)) return {};
  const RowPairs& pairs = bounds_.pairs();
  const std::size_t best = BestRow(chosen, scores);
  const CommonError common = CommonErrorOf(rounding_input_norms, arithmetic);
  // The certificate of the pair (best, j) with these bounds; zero if no margin is proven.
  const auto certify_pair = [&](std::size_t j, const PairBounds& pair) -> Certificate {
    const Upper error = PairError(pair, common);
    const double margin =
        SubtractDown(SubtractDown(Score(scores, best), Score(scores, j)), error.value());
    if (!(margin > 0.0)) return {};  // NaN refuses too
    const Upper lipschitz = pair.difference_norm * bounds_.hidden_lipschitz();
    return {.margin_lower_bound = margin, .radius_l2 = DivideDown(margin, lipschitz.value())};
  };
  // A finite cap: a network that is constant has no nearest boundary.
  Certificate least{.margin_lower_bound = std::numeric_limits<double>::max(),
                    .radius_l2 = static_cast<double>(std::numeric_limits<float>::max())};
  for (std::size_t j = 0; j < pairs.num_rows(); ++j) {
    if (pairs.ClassOf(j) == chosen) continue;
    Certificate pair = certify_pair(j, pairs.QuickBounds(best, j));
    // The quick bounds are valid too. The tighter ones are computed only for pairs that would limit
    // the radius.
    if (pair.radius_l2 < least.radius_l2 && !pairs.AreTabulated()) {
      pair = certify_pair(j, pairs.Bounds(best, j));
    }
    if (pair.margin_lower_bound == 0.0) return {};
    least.margin_lower_bound = std::min(least.margin_lower_bound, pair.margin_lower_bound);
    least.radius_l2 = std::min(least.radius_l2, pair.radius_l2);
  }
  return least;
}

}  // namespace lipserve
