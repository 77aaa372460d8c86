// SPDX-License-Identifier: Apache-2.0
#include "client/verify/proven_model.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/verify/exact/number_text.h"
#include "client/verify/exact_evaluation.h"
#include "client/verify/norms/operator_norm_proof.h"

namespace lipserve::verify {
namespace {

const char* ReasonOf(BoundVerdict verdict) {
  switch (verdict) {
    case BoundVerdict::kProven:
      return "";
    case BoundVerdict::kFalse:
      return "expected a proven upper bound, got one below the length of a row or column: it is "
             "false";
    case BoundVerdict::kNotConfirmed:
      return "expected a proven upper bound, got one that the proof does not confirm: it is false "
             "or too tight";
    case BoundVerdict::kTooLarge:
      return "expected a layer that can be examined in a few minutes and 2 GiB, got a larger one: "
             "its claim is neither proven nor refuted";
  }
  return "";
}

absl::Status CheckClaim(const Layer& layer) {
  const Dyadic* const claim = ClaimedNorm(layer);
  if (claim == nullptr) return absl::OkStatus();
  const BoundVerdict verdict = ExamineNormClaim(layer);
  if (verdict == BoundVerdict::kProven) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "claimed operator norm ", DecimalRoundedUp(ToRational(*claim)), ": ", ReasonOf(verdict)));
}

mpz_class RootRoundedUp(const mpz_class& number) {
  mpz_class root;
  mpz_class rest;
  mpz_sqrtrem(root.get_mpz_t(), rest.get_mpz_t(), number.get_mpz_t());
  if (rest != 0) ++root;
  return root;
}

mpz_class ToInteger(std::size_t size) { return {static_cast<unsigned long>(size)}; }

// A Lipschitz constant of x - U max(U^T x + b, 0), where `square` is at least ||U||^2: its divided
// differences are I - U D U^T with a diagonal D between 0 and I, whose eigenvalues lie from 1 -
// ||U||^2 to 1.
mpq_class ReflectionLipschitz(const mpq_class& square) {
  return std::max(mpq_class(1), mpq_class(square - 1));
}

// The Lipschitz constants of layers whose norm is not claimed, or not their own, with proven
// claims; 1 for an L2-norm pooling and for layers that move numbers.
mpq_class LipschitzOf(const Layer& layer) {
  mpq_class largest = 1;
  if (std::holds_alternative<ConvexPotential>(layer)) {
    const mpq_class norm = ToRational(*ClaimedNorm(layer));
    return ReflectionLipschitz(norm * norm);
  }
  if (const auto* prelu = std::get_if<PRelu>(&layer)) {
    for (const mpz_class& slope : prelu->slopes.numbers) {
      largest = std::max(largest, ToRational(abs(slope), prelu->slopes.exponent));
    }
  }
  if (const auto* householder = std::get_if<Householder>(&layer)) {
    const auto& [numbers, exponent] = householder->directions;
    for (std::size_t k = 0; k < numbers.size(); k += 2) {
      const mpz_class square = numbers[k] * numbers[k] + numbers[k + 1] * numbers[k + 1];
      largest = std::max(largest, ReflectionLipschitz(ToRational(square, 2 * exponent)));
    }
  }
  return largest;
}

// Whether the layer is a linear map, and a shift, whose norm is claimed.
bool IsNormClaimed(const Layer& layer) {
  return std::holds_alternative<Dense>(layer) || std::holds_alternative<Convolution>(layer);
}

// The square of the Lipschitz constant of a layer with proven claims.
mpq_class LipschitzSquared(const Layer& layer) {
  if (IsNormClaimed(layer)) {
    const mpq_class norm = ToRational(*ClaimedNorm(layer));
    return norm * norm;
  }
  if (const auto* pool = std::get_if<AveragePool>(&layer)) {
    const mpq_class scale = ToRational(pool->scale);
    return scale * scale * ToInteger(pool->window_height * pool->window_width);
  }
  if (const auto* pool = std::get_if<MaxPool>(&layer)) return ToInteger(pool->MostReads());
  const mpq_class lipschitz = LipschitzOf(layer);
  return lipschitz * lipschitz;
}

// At least the root of `square`, by less than a part in 2^kRootBits of it; the root itself if it
// has so few bits.
mpq_class RootRoundedUp(const mpq_class& square) {
  constexpr long kRootBits = 128;
  if (square == 0) return 0;
  // square * 4^shift has at least 2 kRootBits bits.
  const auto bits = static_cast<long>(mpz_sizeinbase(square.get_num_mpz_t(), 2)) -
                    static_cast<long>(mpz_sizeinbase(square.get_den_mpz_t(), 2));
  const long shift = std::max(0L, kRootBits - bits / 2 + 1);
  mpz_class scaled;
  mpz_cdiv_q(scaled.get_mpz_t(),
             mpz_class(square.get_num() << static_cast<mp_bitcnt_t>(2 * shift)).get_mpz_t(),
             square.get_den_mpz_t());
  return ToRational(RootRoundedUp(scaled), -shift);
}

// At least (a + b)^2, from the squares of a and b.
mpq_class SquareOfSum(const mpq_class& a_squared, const mpq_class& b_squared) {
  const mpq_class sum = RootRoundedUp(a_squared) + RootRoundedUp(b_squared);
  return sum * sum;
}

// What is proven of a value of the network.
struct ProvenValue {
  mpq_class lipschitz_squared = 1;
  mpq_class error = 0;
};

// A bound on the error of what `layer` makes of a sample whose error is at most `error`.
mpq_class ErrorAfter(const Layer& layer, const Shape& input, const mpq_class& error) {
  if (std::holds_alternative<L2NormPool>(layer)) {
    const mpz_class roots = ToInteger(SizeOf(OutputShape(layer, input)));
    return error + ToRational(RootRoundedUp(roots), kRootExponent);
  }
  if (IsNormClaimed(layer)) return error * ToRational(*ClaimedNorm(layer));
  if (const auto* pool = std::get_if<AveragePool>(&layer)) {
    const mpz_class window = ToInteger(pool->window_height * pool->window_width);
    return error * ToRational(pool->scale) * RootRoundedUp(window);
  }
  if (const auto* pool = std::get_if<MaxPool>(&layer)) {
    return error * RootRoundedUp(ToInteger(pool->MostReads()));
  }
  return error * LipschitzOf(layer);
}

}  // namespace

absl::StatusOr<ProvenModel> ProvenModel::Prove(Model model) {
  ProvenModel proven(std::move(model));
  const std::vector<Layer>& layers = proven.model_.layers;
  const std::vector<Shape> shapes = proven.model_.ValueShapes();
  std::vector<ProvenValue> values(1);
  for (std::size_t k = 0; k < layers.size(); ++k) {
    if (const absl::Status status = CheckClaim(layers[k]); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat("layer ", k, " (", Describe(layers[k]),
                                                      "): ", std::string(status.message())));
    }
    const std::size_t input = proven.model_.inputs[k];
    ProvenValue value = values[input];
    if (const auto* const sum = std::get_if<Sum>(&layers[k])) {
      const ProvenValue& other = values[sum->other];
      value.lipschitz_squared = SquareOfSum(value.lipschitz_squared, other.lipschitz_squared);
      value.error += other.error;
    }
    proven.hidden_lipschitz_squared_ = value.lipschitz_squared;  // of what the last layer reads
    value.lipschitz_squared *= LipschitzSquared(layers[k]);
    value.error = ErrorAfter(layers[k], shapes[input], value.error);
    values.push_back(std::move(value));
  }
  proven.difference_error_ = 2 * values.back().error;
  return proven;
}

}  // namespace lipserve::verify
