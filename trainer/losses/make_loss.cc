// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/make_loss.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "model/foundation/status_macros.h"
#include "trainer/losses/binary_losses.h"
#include "trainer/losses/cross_entropy_losses.h"
#include "trainer/losses/emma_losses.h"
#include "trainer/losses/loss_fields.h"
#include "trainer/losses/lse_hkr_loss.h"
#include "trainer/losses/one_vs_rest_losses.h"
#include "trainer/losses/pairwise_hinge_loss.h"
#include "trainer/losses/prototype_margin_loss.h"
#include "trainer/losses/soft_hkr_loss.h"

namespace lipserve::trainer {
namespace {

using LossOrError = absl::StatusOr<std::unique_ptr<Loss>>;

absl::StatusOr<HkrOptions> ReadHkr(const std::string& loss, const v1::HkrSpec& spec) {
  HkrOptions options;
  LIPSERVE_ASSIGN_OR_RETURN(options.margin,
                            ReadMinMargin(loss, spec.min_margin(), spec.margin_convention()));
  LIPSERVE_ASSIGN_OR_RETURN(options.alpha, ReadAlpha(loss, spec.alpha(), spec.alpha_convention()));
  return options;
}

HkrOptions KrOnly() {
  HkrOptions options;
  options.terms = HkrTerms::kKrOnly;
  return options;
}

absl::StatusOr<HkrOptions> ReadHinge(const std::string& loss, const v1::HingeMarginSpec& spec) {
  HkrOptions options;
  options.terms = HkrTerms::kHingeOnly;
  LIPSERVE_ASSIGN_OR_RETURN(options.margin,
                            ReadMinMargin(loss, spec.min_margin(), spec.margin_convention()));
  return options;
}

template <typename HkrLoss>
LossOrError MakeHkr(const absl::StatusOr<HkrOptions>& options) {
  LIPSERVE_RETURN_IF_ERROR(options.status());
  return std::make_unique<HkrLoss>(*options);
}

LossOrError MakeSoftHkr(const v1::SoftHkrSpec& spec) {
  const char* const loss = "soft_hkr";
  SoftHkrOptions options;
  LIPSERVE_ASSIGN_OR_RETURN(options.margin,
                            ReadMinMargin(loss, spec.min_margin(), spec.margin_convention()));
  LIPSERVE_ASSIGN_OR_RETURN(options.alpha, ReadAlpha(loss, spec.alpha(), spec.alpha_convention()));
  LIPSERVE_ASSIGN_OR_RETURN(
      options.temperature,
      ReadPositiveOr(loss, "temperature", spec.temperature(), options.temperature));
  LIPSERVE_ASSIGN_OR_RETURN(
      options.mean_decay,
      ReadPositiveOr(loss, "mean_decay", spec.mean_decay(), options.mean_decay));
  if (options.mean_decay >= 1.0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("loss.soft_hkr.mean_decay: expected a number in [0, 1), where 0 takes "
                        "0.99, got %g",
                        options.mean_decay));
  }
  return std::make_unique<SoftHkrLoss>(options);
}

LossOrError MakeLseHkr(const v1::LseHkrSpec& spec) {
  const char* const loss = "lse_hkr";
  LseHkrOptions options;
  LIPSERVE_ASSIGN_OR_RETURN(options.margin,
                            ReadMinMargin(loss, spec.min_margin(), spec.margin_convention()));
  LIPSERVE_ASSIGN_OR_RETURN(options.alpha, ReadAlpha(loss, spec.alpha(), spec.alpha_convention()));
  LIPSERVE_ASSIGN_OR_RETURN(
      options.temperature,
      ReadPositiveOr(loss, "temperature", spec.temperature(), options.temperature));
  LIPSERVE_ASSIGN_OR_RETURN(options.penalty,
                            ReadPositiveOr(loss, "penalty", spec.penalty(), options.penalty));
  return std::make_unique<LseHkrLoss>(options);
}

LossOrError MakeScoreHinge(const char* field, const char* name, double min_margin, HingeOver over) {
  LIPSERVE_RETURN_IF_ERROR(ReadPositive(field, "min_margin", min_margin).status());
  return std::make_unique<PairwiseHingeLoss>(
      PairwiseHingeOptions{name, "min_margin", min_margin, MarginKind::kScores, over});
}

LossOrError MakeMarginHinge(const v1::MarginHingeSpec& spec) {
  const char* const loss = "margin_hinge";
  PairwiseHingeOptions options{"MarginHinge", "margin", spec.margin(), {}, {}};
  LIPSERVE_RETURN_IF_ERROR(ReadPositive(loss, "margin", spec.margin()).status());
  LIPSERVE_ASSIGN_OR_RETURN(options.kind, ReadMarginKind(loss, spec.margins()));
  LIPSERVE_ASSIGN_OR_RETURN(options.over, ReadHingeOver(loss, spec.over()));
  if (options.over == HingeOver::kWorst) options.name = "WorstMarginHinge";
  return std::make_unique<PairwiseHingeLoss>(options);
}

LossOrError MakeTauCrossEntropy(const v1::TauCrossEntropySpec& spec) {
  LIPSERVE_RETURN_IF_ERROR(ReadPositive("tau_cross_entropy", "tau", spec.tau()).status());
  return std::make_unique<TauCrossEntropyLoss>(spec.tau());
}

LossOrError MakeOffsetCrossEntropy(const v1::OffsetCrossEntropySpec& spec) {
  const char* const loss = "offset_cross_entropy";
  OffsetCrossEntropyOptions options;
  LIPSERVE_ASSIGN_OR_RETURN(options.offset, ReadFinite(loss, "offset", spec.offset()));
  LIPSERVE_ASSIGN_OR_RETURN(options.temperature,
                            ReadPositive(loss, "temperature", spec.temperature()));
  LIPSERVE_ASSIGN_OR_RETURN(options.kind, ReadMarginKind(loss, spec.margins()));
  return std::make_unique<OffsetCrossEntropyLoss>(options);
}

LossOrError MakeEmma(const v1::EmmaSpec& spec) {
  LIPSERVE_RETURN_IF_ERROR(ReadPositive("emma", "epsilon", spec.epsilon()).status());
  return std::make_unique<EmmaLoss>(spec.epsilon());
}

LossOrError MakeLogitAnnealing(const v1::LogitAnnealingSpec& spec) {
  const char* const loss = "logit_annealing";
  LogitAnnealingOptions options;
  LIPSERVE_ASSIGN_OR_RETURN(options.offset, ReadFinite(loss, "offset", spec.offset()));
  LIPSERVE_ASSIGN_OR_RETURN(options.temperature,
                            ReadPositive(loss, "temperature", spec.temperature()));
  LIPSERVE_ASSIGN_OR_RETURN(options.power, ReadNotNegative(loss, "power", spec.power()));
  LIPSERVE_ASSIGN_OR_RETURN(options.epsilon, ReadNotNegative(loss, "epsilon", spec.epsilon()));
  return std::make_unique<LogitAnnealingLoss>(options);
}

LossOrError MakePrototypeMargin(const v1::PrototypeMarginSpec& spec,
                                std::size_t prototypes_per_class) {
  PrototypeMarginOptions options;
  LIPSERVE_ASSIGN_OR_RETURN(options.margin,
                            ReadPositive("prototype_margin", "margin", spec.margin()));
  options.inputs_in_unit_box = spec.inputs_in_unit_box();
  return std::make_unique<PrototypeMarginLoss>(options, prototypes_per_class);
}

bool IsBinary(const v1::LossSpec& spec) {
  return spec.has_hkr() || spec.has_kr() || spec.has_hinge_margin();
}

bool IsMulticlass(const v1::LossSpec& spec) {
  return spec.has_multiclass_hkr() || spec.has_multiclass_kr() || spec.has_multiclass_hinge() ||
         spec.has_soft_hkr() || spec.has_lse_hkr() || spec.has_multi_margin() ||
         spec.has_categorical_hinge();
}

absl::Status CheckScores(const v1::LossSpec& spec, std::size_t num_scores) {
  if (IsBinary(spec) && num_scores != 1) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "loss: expected a network with 1 score, got %d scores; hkr, kr and hinge_margin are "
        "binary losses: end the network with units: 1, or take multiclass_hkr, multiclass_kr or "
        "multiclass_hinge",
        num_scores));
  }
  if (IsMulticlass(spec) && num_scores < 2) {
    return absl::InvalidArgumentError(
        "loss: expected a network with a score for each class, got 1 score; end the network with "
        "as many units as there are classes, or take hkr, kr or hinge_margin");
  }
  return absl::OkStatus();
}

absl::Status CheckPrototypes(const v1::LossSpec& spec, std::size_t prototypes_per_class) {
  if (spec.has_prototype_margin() == (prototypes_per_class > 0)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      prototypes_per_class > 0
          ? "loss: expected prototype_margin, since the last layer is nearest_prototype and scores "
            "prototypes, not classes, got another loss"
          : "loss.prototype_margin: expected a last layer of nearest_prototype, got another");
}

}  // namespace

LossOrError MakeLoss(const v1::LossSpec& spec, std::size_t num_scores,
                     std::size_t prototypes_per_class) {
  LIPSERVE_RETURN_IF_ERROR(CheckScores(spec, num_scores));
  LIPSERVE_RETURN_IF_ERROR(CheckPrototypes(spec, prototypes_per_class));
  switch (spec.kind_case()) {
    case v1::LossSpec::kHkr:
      return MakeHkr<BinaryHkrLoss>(ReadHkr("hkr", spec.hkr()));
    case v1::LossSpec::kKr:
      return MakeHkr<BinaryHkrLoss>(KrOnly());
    case v1::LossSpec::kHingeMargin:
      return MakeHkr<BinaryHkrLoss>(ReadHinge("hinge_margin", spec.hinge_margin()));
    case v1::LossSpec::kMulticlassHkr:
      return MakeHkr<OneVsRestHkrLoss>(ReadHkr("multiclass_hkr", spec.multiclass_hkr()));
    case v1::LossSpec::kMulticlassKr:
      return MakeHkr<OneVsRestHkrLoss>(KrOnly());
    case v1::LossSpec::kMulticlassHinge:
      return MakeHkr<OneVsRestHkrLoss>(ReadHinge("multiclass_hinge", spec.multiclass_hinge()));
    case v1::LossSpec::kSoftHkr:
      return MakeSoftHkr(spec.soft_hkr());
    case v1::LossSpec::kLseHkr:
      return MakeLseHkr(spec.lse_hkr());
    case v1::LossSpec::kMultiMargin:
      return MakeScoreHinge("multi_margin", "MultiMargin", spec.multi_margin().min_margin(),
                            HingeOver::kMeanOverClasses);
    case v1::LossSpec::kCategoricalHinge:
      return MakeScoreHinge("categorical_hinge", "CategoricalHinge",
                            spec.categorical_hinge().min_margin(), HingeOver::kWorst);
    case v1::LossSpec::kTauCrossEntropy:
      return MakeTauCrossEntropy(spec.tau_cross_entropy());
    case v1::LossSpec::kOffsetCrossEntropy:
      return MakeOffsetCrossEntropy(spec.offset_cross_entropy());
    case v1::LossSpec::kMarginHinge:
      return MakeMarginHinge(spec.margin_hinge());
    case v1::LossSpec::kEmma:
      return MakeEmma(spec.emma());
    case v1::LossSpec::kLogitAnnealing:
      return MakeLogitAnnealing(spec.logit_annealing());
    case v1::LossSpec::kPrototypeMargin:
      return MakePrototypeMargin(spec.prototype_margin(), prototypes_per_class);
    case v1::LossSpec::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("loss: expected a loss, such as multiclass_hkr, got none");
}

}  // namespace lipserve::trainer
