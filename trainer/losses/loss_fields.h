// SPDX-License-Identifier: Apache-2.0
// Reads the numbers of a recipe's loss. `loss` is their message in the recipe, e.g. "hkr". Errors
// name the field, what was expected and found.
#ifndef TRAINER_LOSSES_LOSS_FIELDS_H_
#define TRAINER_LOSSES_LOSS_FIELDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "trainer/losses/hkr_terms.h"
#include "trainer/losses/pairwise_hinge_loss.h"

namespace lipserve::trainer {

absl::StatusOr<double> ReadPositive(const std::string& loss, const char* field, double value);
// 0 stands for `value_of_zero`.
absl::StatusOr<double> ReadPositiveOr(const std::string& loss, const char* field, double value,
                                      double value_of_zero);
absl::StatusOr<double> ReadNotNegative(const std::string& loss, const char* field, double value);
absl::StatusOr<double> ReadFinite(const std::string& loss, const char* field, double value);
absl::StatusOr<Alpha> ReadAlpha(const std::string& loss, double alpha,
                                v1::AlphaConvention convention);
absl::StatusOr<MinMargin> ReadMinMargin(const std::string& loss, double min_margin,
                                        v1::MarginConvention convention);
absl::StatusOr<MarginKind> ReadMarginKind(const std::string& loss, v1::MarginKind kind);
absl::StatusOr<HingeOver> ReadHingeOver(const std::string& loss, v1::HingeOver over);

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_LOSS_FIELDS_H_
