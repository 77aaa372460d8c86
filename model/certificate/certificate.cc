// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/certificate.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

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

// What underflow, gradual or flushed, can add to one output: each of at most 2n + 1 operations
// less than the smallest normal number, and each operand below it taken as zero.
Upper Underflow(const LayerBounds& layer, Upper input_norm, Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::kFloat64) return Upper(kUnderflow64);
  const auto n = static_cast<double>(layer.fan_in);
  const Upper input_norm1 = SqrtUp(Upper(n)) * input_norm;
  return Upper(2.0 * kSmallestNormal32) *
         (Upper(2.0 * n + 2.0) + layer.largest_row_norm1 + input_norm1);
}

// Score i; the second class of a single-score network has the constant score 0.
double Score(std::span<const double> scores, std::size_t i) {
  return i < scores.size() ? scores[i] : 0.0;
}

}  // namespace

std::size_t Certifier::LargestScore(std::span<const double> scores) {
  if (scores.size() == 1) return scores[0] >= 0.0 ? 0 : 1;
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

std::size_t Certifier::BestRow(std::size_t chosen, std::span<const double> scores) const {
  const std::size_t count = bounds_.pairs().rows_per_class();
  if (count == 1) return chosen;
  return chosen * count + LargestScore(scores.subspan(chosen * count, count));
}

Upper Certifier::HiddenError(std::span<const Upper> rounding_input_norms,
                             Arithmetic arithmetic) const {
  Upper error;
  for (std::size_t l = 0; l < bounds_.hidden().size(); ++l) {
    const LayerBounds& layer = bounds_.hidden()[l];
    const Upper norm = rounding_input_norms[l];
    error = layer.operator_norm * error +
            LayerGamma(layer, arithmetic) * (layer.absolute_norm * norm + layer.bias_norm) +
            Underflow(layer, norm, arithmetic) * SqrtUp(Upper(static_cast<double>(layer.outputs)));
  }
  return error;
}

Certifier::CommonError Certifier::CommonErrorOf(std::span<const Upper> rounding_input_norms,
                                                Arithmetic arithmetic) const {
  assert(rounding_input_norms.size() == bounds_.hidden().size() + 1);
  const LayerBounds& last = bounds_.last();
  const Upper norm = rounding_input_norms.back();
  return {.hidden = HiddenError(rounding_input_norms, arithmetic),
          .last_input_norm = norm,
          .last_gamma = LayerGamma(last, arithmetic),
          .last_underflow = Upper(2.0) * Underflow(last, norm, arithmetic)};
}

Upper Certifier::PairError(const PairBounds& pair, const CommonError& common) {
  return pair.difference_norm * common.hidden +
         common.last_gamma * (pair.absolute_norm * common.last_input_norm + pair.bias) +
         common.last_underflow;
}

Upper Certifier::ScoreDifferenceError(std::size_t i, std::size_t j,
                                      std::span<const Upper> rounding_input_norms,
                                      Arithmetic arithmetic) const {
  return PairError(bounds_.pairs().Of(i, j), CommonErrorOf(rounding_input_norms, arithmetic));
}

// Whether some partial sum of a float32 evaluation, in any order, could reach 2^127. Without this
// test an infinity that a later minimum hides would pass for a number.
bool Certifier::MayOverflow(std::span<const Upper> rounding_input_norms) const {
  const auto below_limit = [](const LayerBounds& layer, Upper norm) {
    const Upper factor = Upper(1.0) + LayerGamma(layer, Arithmetic::kFloat32);
    const Upper largest = factor * (layer.largest_row_norm * norm + layer.largest_bias) +
                          Underflow(layer, norm, Arithmetic::kFloat32);
    return largest.value() < 0x1p127;
  };
  for (std::size_t l = 0; l < bounds_.hidden().size(); ++l) {
    if (!below_limit(bounds_.hidden()[l], rounding_input_norms[l])) return true;
  }
  return !below_limit(bounds_.last(), rounding_input_norms.back());
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
    const Upper error = PairError(pairs.QuickOf(best, j), common);
    const double difference = SubtractDown(Score(scores, best), Score(scores, j));
    if (!(difference > error.value())) return std::nullopt;  // NaN refuses too
  }
  return best_class;
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
    const PairBounds pair = bounds_.pairs().QuickOf(best, j);
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
  // What is proven of the pair (best, j) with these bounds; zero if no margin is.
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
    Certificate pair = certify_pair(j, pairs.QuickOf(best, j));
    // What the quick bounds prove is true; the others are for pairs that it would limit.
    if (pair.radius_l2 < least.radius_l2 && !pairs.AreTabulated()) {
      pair = certify_pair(j, pairs.Of(best, j));
    }
    if (pair.margin_lower_bound == 0.0) return {};
    least.margin_lower_bound = std::min(least.margin_lower_bound, pair.margin_lower_bound);
    least.radius_l2 = std::min(least.radius_l2, pair.radius_l2);
  }
  return least;
}

}  // namespace lipserve
