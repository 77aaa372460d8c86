// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/loss.h"

#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "model/status_macros.h"
#include "trainer/losses/binary_losses.h"

namespace lipserve::trainer {
namespace {

// Where the hinge bends, from what a recipe says.
absl::StatusOr<double> HingeBend(const std::string& field, double min_margin,
                                 v1::MarginConvention convention) {
  if (!(min_margin > 0.0) || !std::isfinite(min_margin)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s.min_margin: expected a positive finite number, got %g", field, min_margin));
  }
  switch (convention) {
    case v1::MARGIN_CONVENTION_FULL:
      return min_margin;
    case v1::MARGIN_CONVENTION_HALF:
      return min_margin / 2.0;
    default:
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s.margin_convention: expected MARGIN_CONVENTION_FULL, relu(min_margin - y f), or "
          "MARGIN_CONVENTION_HALF, relu(min_margin / 2 - y f), got %s; peers differ, so a recipe "
          "must say which",
          field, v1::MarginConvention_Name(convention)));
  }
}

const char* MarginWord(v1::MarginConvention convention) {
  return convention == v1::MARGIN_CONVENTION_FULL ? "full" : "half";
}

absl::StatusOr<std::unique_ptr<Loss>> MakeHkr(const v1::HkrSpec& spec) {
  BinaryHkrLoss::Terms terms;
  LIPSERVE_ASSIGN_OR_RETURN(terms.margin,
                            HingeBend("loss.hkr", spec.min_margin(), spec.margin_convention()));
  const double alpha = spec.alpha();
  const bool not_negative = alpha >= 0.0 && std::isfinite(alpha);
  switch (spec.alpha_convention()) {
    case v1::ALPHA_CONVENTION_HINGE_WEIGHT:
      if (!not_negative) {
        return absl::InvalidArgumentError(
            absl::StrFormat("loss.hkr.alpha: expected a finite number that is not negative, got "
                            "%g; for the hinge alone use hinge_margin",
                            alpha));
      }
      terms.kr_weight = 1.0;
      break;
    case v1::ALPHA_CONVENTION_CONVEX:
      if (!not_negative || alpha > 1.0) {
        return absl::InvalidArgumentError(absl::StrFormat(
            "loss.hkr.alpha: expected a number in [0, 1] with ALPHA_CONVENTION_CONVEX, got %g; "
            "alpha / (1 + alpha) has the same minimiser as ALPHA_CONVENTION_HINGE_WEIGHT",
            alpha));
      }
      terms.kr_weight = 1.0 - alpha;
      break;
    default:
      return absl::InvalidArgumentError(absl::StrFormat(
          "loss.hkr.alpha_convention: expected ALPHA_CONVENTION_HINGE_WEIGHT, alpha * hinge - KR, "
          "or ALPHA_CONVENTION_CONVEX, alpha * hinge - (1 - alpha) * KR, got %s; peers differ, so "
          "a recipe must say which",
          v1::AlphaConvention_Name(spec.alpha_convention())));
  }
  terms.hinge_weight = alpha;
  const bool convex = spec.alpha_convention() == v1::ALPHA_CONVENTION_CONVEX;
  return std::make_unique<BinaryHkrLoss>(
      terms,
      absl::StrFormat("HKR(alpha=%g%s, min_margin=%g, %s margin)", alpha, convex ? " convex" : "",
                      spec.min_margin(), MarginWord(spec.margin_convention())));
}

absl::StatusOr<std::unique_ptr<Loss>> MakeHingeMargin(const v1::HingeMarginSpec& spec) {
  BinaryHkrLoss::Terms terms;
  LIPSERVE_ASSIGN_OR_RETURN(
      terms.margin, HingeBend("loss.hinge_margin", spec.min_margin(), spec.margin_convention()));
  terms.hinge_weight = 1.0;
  return std::make_unique<BinaryHkrLoss>(
      terms, absl::StrFormat("HingeMargin(min_margin=%g, %s margin)", spec.min_margin(),
                             MarginWord(spec.margin_convention())));
}

std::unique_ptr<Loss> MakeKr() {
  BinaryHkrLoss::Terms terms;
  terms.kr_weight = 1.0;
  return std::make_unique<BinaryHkrLoss>(terms, "KR");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Loss>> MakeLoss(const v1::LossSpec& spec, std::size_t num_scores) {
  if (num_scores != 1) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "loss: expected a network with 1 score, got %d scores; hkr, kr and hinge_margin are "
        "binary losses: end the network with units: 1",
        num_scores));
  }
  switch (spec.kind_case()) {
    case v1::LossSpec::kHkr:
      return MakeHkr(spec.hkr());
    case v1::LossSpec::kKr:
      return MakeKr();
    case v1::LossSpec::kHingeMargin:
      return MakeHingeMargin(spec.hinge_margin());
    case v1::LossSpec::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("loss: expected one of hkr, kr, hinge_margin, got none");
}

}  // namespace lipserve::trainer
