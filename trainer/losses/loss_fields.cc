// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/loss_fields.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "model/foundation/status_macros.h"

namespace lipserve::trainer {
namespace {

absl::Status Invalid(const std::string& loss, const char* field, const std::string& expected,
                     const std::string& got) {
  return absl::InvalidArgumentError(
      absl::StrFormat("loss.%s.%s: expected %s, got %s", loss, field, expected, got));
}

std::string ToText(double value) { return absl::StrFormat("%g", value); }

}  // namespace

absl::StatusOr<double> ReadPositive(const std::string& loss, const char* field, double value) {
  if (value > 0.0 && std::isfinite(value)) return value;
  return Invalid(loss, field, "a positive finite number", ToText(value));
}

absl::StatusOr<double> ReadPositiveOr(const std::string& loss, const char* field, double value,
                                      double value_of_zero) {
  if (value == 0.0) return value_of_zero;
  if (value > 0.0 && std::isfinite(value)) return value;
  return Invalid(loss, field,
                 absl::StrFormat("a positive finite number, where 0 takes %g", value_of_zero),
                 ToText(value));
}

absl::StatusOr<double> ReadNotNegative(const std::string& loss, const char* field, double value) {
  if (value >= 0.0 && std::isfinite(value)) return value;
  return Invalid(loss, field, "a finite number that is not negative", ToText(value));
}

absl::StatusOr<double> ReadFinite(const std::string& loss, const char* field, double value) {
  if (std::isfinite(value)) return value;
  return Invalid(loss, field, "a finite number", ToText(value));
}

absl::StatusOr<Alpha> ReadAlpha(const std::string& loss, double alpha,
                                v1::AlphaConvention convention) {
  const bool not_negative = alpha >= 0.0 && std::isfinite(alpha);
  switch (convention) {
    case v1::ALPHA_CONVENTION_HINGE_WEIGHT:
      if (not_negative) return Alpha{alpha, AlphaConvention::kHingeWeight};
      return Invalid(loss, "alpha", "a finite number that is not negative",
                     ToText(alpha) +
                         "; for the hinge alone use hinge_margin, or ALPHA_CONVENTION_"
                         "CONVEX with alpha 1");
    case v1::ALPHA_CONVENTION_CONVEX:
      if (not_negative && alpha <= 1.0) return Alpha{alpha, AlphaConvention::kConvex};
      return Invalid(loss, "alpha", "a number in [0, 1] with ALPHA_CONVENTION_CONVEX",
                     ToText(alpha) +
                         "; alpha / (1 + alpha) has the same minimiser as "
                         "ALPHA_CONVENTION_HINGE_WEIGHT");
    case v1::ALPHA_CONVENTION_KR_DIVISOR:
      if (not_negative && alpha > 0.0) return Alpha{alpha, AlphaConvention::kKrDivisor};
      return Invalid(loss, "alpha", "a positive finite number with ALPHA_CONVENTION_KR_DIVISOR",
                     ToText(alpha));
    default:
      break;
  }
  return Invalid(
      loss, "alpha_convention",
      "ALPHA_CONVENTION_HINGE_WEIGHT, alpha * hinge - KR, ALPHA_CONVENTION_CONVEX, "
      "alpha * hinge - (1 - alpha) * KR, or ALPHA_CONVENTION_KR_DIVISOR, hinge - KR / "
      "alpha",
      v1::AlphaConvention_Name(convention) + "; peers differ, so a recipe must say which");
}

absl::StatusOr<MinMargin> ReadMinMargin(const std::string& loss, double min_margin,
                                        v1::MarginConvention convention) {
  LIPSERVE_RETURN_IF_ERROR(ReadPositive(loss, "min_margin", min_margin).status());
  switch (convention) {
    case v1::MARGIN_CONVENTION_FULL:
      return MinMargin{min_margin, /*half=*/false};
    case v1::MARGIN_CONVENTION_HALF:
      return MinMargin{min_margin, /*half=*/true};
    default:
      break;
  }
  return Invalid(
      loss, "margin_convention",
      "MARGIN_CONVENTION_FULL, relu(min_margin - y f), or MARGIN_CONVENTION_HALF, "
      "relu(min_margin / 2 - y f)",
      v1::MarginConvention_Name(convention) + "; peers differ, so a recipe must say which");
}

absl::StatusOr<MarginKind> ReadMarginKind(const std::string& loss, v1::MarginKind kind) {
  switch (kind) {
    case v1::MARGIN_KIND_SCORES:
      return MarginKind::kScores;
    case v1::MARGIN_KIND_CERTIFIED:
      return MarginKind::kCertified;
    default:
      break;
  }
  return Invalid(loss, "margins",
                 "MARGIN_KIND_SCORES, differences of scores, or MARGIN_KIND_CERTIFIED, radii in "
                 "units of the input",
                 v1::MarginKind_Name(kind));
}

absl::StatusOr<HingeOver> ReadHingeOver(const std::string& loss, v1::HingeOver over) {
  switch (over) {
    case v1::HINGE_OVER_ALL:
      return HingeOver::kSum;
    case v1::HINGE_OVER_WORST:
      return HingeOver::kWorst;
    default:
      break;
  }
  return Invalid(loss, "over",
                 "HINGE_OVER_ALL, the sum over the other classes, or HINGE_OVER_WORST, the one "
                 "with the smallest margin",
                 v1::HingeOver_Name(over));
}

}  // namespace lipserve::trainer
